import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Inject,
  Injectable,
  Module,
  Scope,
  type Type,
  UnauthorizedException,
  type FactoryProvider,
} from '@nestjs/common';
import {
  ConnectedSocket,
  MessageBody,
  type OnGatewayConnection,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
  WsException,
} from '@nestjs/websockets';
import { eventually } from '@wss/testing';
import type { WebSocket, WebSocketServer as Server } from 'ws';
import { captureLogs, releaseLogs } from '../captured-logs.js';
import { before, deferred, type Deferred, EchoGateway, NativeApp } from './native-app.js';
import { clientFrame, rawRequest, upgradeRequest } from '../raw-request.js';

let native: NativeApp | undefined;
afterEach(async () => {
  releaseLogs();
  await native?.stop();
  native = undefined;
});

const failed = (message: string): object => ({
  event: 'exception',
  data: { status: 'error', message, cause: { pattern: 'handleConnection' } },
});

const FAILURE = new Error('secret of the hook');

function failSync(): never {
  throw FAILURE;
}

async function failAsync(): Promise<never> {
  await Promise.resolve();
  throw FAILURE;
}

function bothHooks(hook: () => unknown, scope = Scope.DEFAULT): Type<object> {
  @Injectable({ scope })
  @WebSocketGateway({ path: '/failing' })
  class FailingGateway {
    handleConnection(): unknown {
      return hook();
    }
  }
  return FailingGateway;
}

function derived(hook: () => unknown): Type<object> {
  class Base {
    handleConnection(): unknown {
      return hook();
    }
  }
  @WebSocketGateway({ path: '/failing' })
  class DerivedGateway extends Base {}
  return DerivedGateway;
}

function callingSuper(hook: () => unknown): Type<object> {
  @WebSocketGateway({ path: '/base' })
  class BaseGateway {
    async handleConnection(_client: WebSocket): Promise<void> {
      await hook();
    }
  }
  @WebSocketGateway({ path: '/failing' })
  class CallingGateway extends BaseGateway {
    override async handleConnection(client: WebSocket): Promise<void> {
      await super.handleConnection(client);
      throw new Error('went on after its base had failed');
    }
  }
  @Module({ providers: [BaseGateway, CallingGateway] })
  class GatewaysModule {}
  return GatewaysModule;
}

function property(hook: () => unknown): Type<object> {
  @WebSocketGateway({ path: '/failing' })
  class PropertyGateway {
    handleConnection = (): unknown => hook();
  }
  return PropertyGateway;
}

function unbuildable(_hook: () => unknown): Type<object> {
  @Injectable({ scope: Scope.REQUEST })
  @WebSocketGateway({ path: '/failing' })
  class UnbuildableGateway {
    constructor() {
      throw FAILURE;
    }
  }
  return UnbuildableGateway;
}

function unbuildableWithHooks(_hook: () => unknown): Type<object> {
  const failing: FactoryProvider = { provide: 'failing', scope: Scope.REQUEST, useFactory: failAsync };
  @Injectable({ scope: Scope.REQUEST })
  @WebSocketGateway({ path: '/failing' })
  class UnresolvableGateway {
    constructor(@Inject('failing') readonly dependency: unknown) {}
    handleConnection(): void {}
    handleDisconnect(): void {}
  }
  @Module({ providers: [failing, UnresolvableGateway] })
  class GatewayModule {}
  return GatewayModule;
}

const scoped = (hook: () => unknown): Type<object> => bothHooks(hook, Scope.REQUEST);

/** Gateways come as providers, modules of them as imports. */
const asMetadata = (type: Type<object>): { providers: Type<object>[]; imports: Type<object>[] } =>
  Reflect.hasMetadata('providers', type)
    ? { providers: [EchoGateway], imports: [type] }
    : { providers: [EchoGateway, type], imports: [] };

describe('a handleConnection that fails', () => {
  it.each([
    ['throws', bothHooks, failSync],
    ['rejects', bothHooks, failAsync],
    ['is inherited and throws', derived, failSync],
    ['is inherited and rejects', derived, failAsync],
    ['fails in the base class of another gateway', callingSuper, failAsync],
    ['is a property that throws', property, failSync],
    ['is a property that rejects', property, failAsync],
    ['throws in a request-scoped gateway', scoped, failSync],
    ['rejects in a request-scoped gateway', scoped, failAsync],
    ['is never reached because the gateway can not be made', unbuildable, failSync],
    ['is never reached because a dependency can not be made', unbuildableWithHooks, failSync],
  ])('and %s closes its own socket only', async (_what, gateway, hook) => {
    const logs = captureLogs();
    native = await NativeApp.start(asMetadata(gateway(hook)));
    const other = await native.client();
    const client = await native.client('/failing');
    expect(await client.next()).toEqual(failed('Internal server error'));
    expect(await client.closed).toEqual({ code: 1011, reason: 'internal error' });
    expect(client.frames).toHaveLength(1);
    expect(await before(other)).toEqual([]);
    expect(logs.error).not.toEqual([]);
    expect(logs.error[0]).toContain('secret of the hook');
    expect(logs.error.join()).not.toContain('went on after');
  });

  it('tells the client what a WsException holds, and logs no error', async () => {
    const logs = captureLogs();
    const refuse = (): never => {
      throw new WsException('not you');
    };
    native = await NativeApp.start({ providers: [bothHooks(refuse)] });
    const client = await native.client('/failing');
    expect(await client.next()).toEqual(failed('not you'));
    expect((await client.closed).code).toBe(1011);
    expect(logs.error).toEqual([]);
  });

  it('tells the client the object of a WsException', async () => {
    const refuse = (): never => {
      throw new WsException({ code: 3 });
    };
    native = await NativeApp.start({ providers: [bothHooks(refuse)] });
    const client = await native.client('/failing');
    expect(await client.next()).toEqual({ event: 'exception', data: { code: 3 } });
  });

  it.each([
    [
      'throws',
      () => {
        throw new WsException({ n: 1n });
      },
    ],
    ['rejects with', () => Promise.reject(new WsException({ n: 1n }))],
  ])('that %s what JSON cannot hold costs its own client only', async (_, refuse) => {
    const logs = captureLogs();
    native = await NativeApp.start({ providers: [bothHooks(refuse as () => never)] });
    const client = await native.client('/failing');
    expect(await client.next()).toEqual(failed('Internal server error'));
    expect((await client.closed).code).toBe(1011);
    expect(logs.error.join()).toContain("what JSON can't hold");
  });

  it('logs no error for an HTTP exception, which any visitor may provoke', async () => {
    const logs = captureLogs();
    const refuse = (): never => {
      throw new UnauthorizedException('no token');
    };
    native = await NativeApp.start({ providers: [bothHooks(refuse)] });
    const client = await native.client('/failing');
    expect(await client.next()).toEqual(failed('Internal server error'));
    expect(logs.error).toEqual([]);
  });

  it('keeps the close code that the hook itself chose', async () => {
    captureLogs();
    @WebSocketGateway()
    class ClosingGateway implements OnGatewayConnection {
      handleConnection(client: WebSocket): void {
        client.close(4003, 'mine');
        throw FAILURE;
      }
    }
    native = await NativeApp.start({ providers: [ClosingGateway] });
    expect(await (await native.client()).closed).toEqual({ code: 4003, reason: 'mine' });
  });

  it('of one gateway does not keep the hooks of others from running', async () => {
    captureLogs();
    const calls: string[] = [];
    @WebSocketGateway({ path: '/failing' })
    class OtherGateway implements OnGatewayConnection {
      handleConnection(): void {
        calls.push('connect');
      }

      handleDisconnect(): void {
        calls.push('disconnect');
      }
    }
    native = await NativeApp.start({ providers: [bothHooks(failSync), OtherGateway] });
    await (
      await native.client('/failing')
    ).closed;
    await eventually(() => expect(calls).toEqual(['connect', 'disconnect']));
  });

  it('of a listener on the server itself closes its own socket only', async () => {
    const logs = captureLogs();
    @WebSocketGateway({ path: '/failing' })
    class ListeningGateway {
      afterInit(server: Server): void {
        server.on('connection', failSync);
      }
    }
    native = await NativeApp.start({ providers: [ListeningGateway, EchoGateway] });
    const client = await native.client('/failing');
    expect(await client.closed).toEqual({ code: 1011, reason: 'internal error' });
    expect(await before(await native.client())).toEqual([]);
    expect(logs.error.join()).toContain('secret of the hook');
  });
});

describe('a handleDisconnect that fails', () => {
  function leaving(hook: () => unknown, scope = Scope.DEFAULT): Type<object> {
    @Injectable({ scope })
    @WebSocketGateway()
    class LeavingGateway {
      handleDisconnect(): unknown {
        return hook();
      }
    }
    return LeavingGateway;
  }

  it.each([
    ['throws', failSync, Scope.DEFAULT],
    ['rejects', failAsync, Scope.DEFAULT],
    ['throws in a request-scoped gateway', failSync, Scope.REQUEST],
    ['rejects in a request-scoped gateway', failAsync, Scope.REQUEST],
  ])('and %s is logged', async (_what, hook, scope) => {
    const logs = captureLogs();
    native = await NativeApp.start({ providers: [leaving(hook, scope), EchoGateway] });
    const [client, other] = [await native.client(), await native.client()];
    await before(client);
    await client.close();
    await eventually(() => expect(logs.error).toEqual([expect.stringContaining('secret of the hook')]));
    expect(await before(other)).toEqual([]);
    expect(await before(await native.client())).toEqual([]);
  });
});

describe('frames that come while handleConnection is at work', () => {
  let admitted: Deferred;
  let arrived: number;
  const sockets: WebSocket[] = [];

  function admitting(scope = Scope.DEFAULT): Type<object> {
    admitted = deferred();
    arrived = 0;
    sockets.length = 0;
    const { promise } = admitted;
    @Injectable({ scope })
    @WebSocketGateway()
    class AdmittingGateway implements OnGatewayConnection {
      async handleConnection(client: WebSocket & { admittedAs?: string }): Promise<void> {
        sockets.push(client);
        client.on('message', () => arrived++);
        await promise;
        client.admittedAs = 'ann';
      }

      @SubscribeMessage('who')
      who(@ConnectedSocket() client: { admittedAs?: string }, @MessageBody() data: unknown): object {
        if (typeof data === 'string') return { event: 'who' };
        return { event: 'who', data: [client.admittedAs ?? null, data] };
      }
    }
    return AdmittingGateway;
  }

  it.each([
    ['', Scope.DEFAULT],
    [' of a request-scoped gateway', Scope.REQUEST],
  ])('wait, and are handled in order%s', async (_what, scope) => {
    native = await NativeApp.start({ providers: [admitting(scope)] });
    const client = await native.client();
    for (const data of [1, 2, 3]) client.send({ event: 'who', data });
    await eventually(() => expect(arrived).toBe(3));
    expect([client.frames, sockets[0]!.isPaused]).toEqual([[], false]);
    admitted.resolve();
    for (const data of [1, 2, 3]) expect(await client.next()).toEqual({ event: 'who', data: ['ann', data] });
    client.send({ event: 'who', data: 4 });
    expect(await client.next()).toEqual({ event: 'who', data: ['ann', 4] });
  });

  it('wait for the hooks of all gateways', async () => {
    const second = deferred();
    @WebSocketGateway()
    class SlowGateway {
      handleConnection(): Promise<void> {
        return second.promise;
      }
    }
    native = await NativeApp.start({ providers: [admitting(), SlowGateway] });
    const client = await native.client();
    client.send({ event: 'who', data: 1 });
    await eventually(() => expect(arrived).toBe(1));
    admitted.resolve();
    await admitted.promise;
    expect(client.frames).toEqual([]);
    second.resolve();
    expect(await client.next()).toEqual({ event: 'who', data: ['ann', 1] });
  });

  it('wait until a request-scoped gateway is made', async () => {
    const made = deferred<string>();
    const slow: FactoryProvider = { provide: 'name', scope: Scope.REQUEST, useFactory: () => made.promise };
    const order: string[] = [];
    @Injectable({ scope: Scope.REQUEST })
    @WebSocketGateway()
    class ScopedGateway {
      constructor(@Inject('name') private readonly name: string) {}

      handleConnection(): void {
        order.push(`connect ${this.name}`);
      }
    }
    @WebSocketGateway()
    class StaticGateway {
      @SubscribeMessage('who')
      who(): object {
        order.push('message');
        return { event: 'who' };
      }
    }
    native = await NativeApp.start({ providers: [slow, ScopedGateway, StaticGateway] });
    const client = await native.client();
    client.send({ event: 'who' });
    made.resolve('ann');
    await client.event('who');
    expect(order).toEqual(['connect ann', 'message']);
  });

  describe('and the upgrade in one piece', () => {
    let handled: number;
    const piece = Buffer.concat([
      Buffer.from(upgradeRequest('/')),
      clientFrame(1, '{"event":"count"}'),
      clientFrame(1, '{"event":"count"}'),
      clientFrame(8),
    ]);

    function counting(hook: () => unknown): Type<object> {
      handled = 0;
      sockets.length = 0;
      @WebSocketGateway()
      class CountingGateway {
        handleConnection(client: WebSocket): unknown {
          sockets.push(client);
          return hook();
        }

        @SubscribeMessage('count')
        count(): void {
          handled++;
        }
      }
      return CountingGateway;
    }

    it('are handled', async () => {
      native = await NativeApp.start({ providers: [counting(() => undefined)] });
      expect(await rawRequest(native.port, piece)).toContain('101 Switching Protocols');
      expect(handled).toBe(2);
    });

    it('are handled when it is done after the client has gone', async () => {
      const done = deferred();
      native = await NativeApp.start({ providers: [counting(() => done.promise)] });
      await rawRequest(native.port, piece);
      expect(handled).toBe(0);
      done.resolve();
      await eventually(() => expect(handled).toBe(2));
    });

    it('are dropped when it throws', async () => {
      captureLogs();
      native = await NativeApp.start({ providers: [counting(failSync)] });
      expect(await rawRequest(native.port, piece)).toContain('internal error');
      expect(handled).toBe(0);
    });

    it('are dropped when it rejects', async () => {
      const logs = captureLogs();
      const refused = deferred();
      native = await NativeApp.start({ providers: [counting(() => refused.promise)] });
      const answer = rawRequest(native.port, piece);
      await eventually(() => expect(sockets).toHaveLength(1));
      refused.reject(FAILURE);
      await answer;
      await eventually(() => expect(logs.error).toHaveLength(1));
      expect(handled).toBe(0);
    });
  });

  it('are kept up to a bound, and then are handled before it is done', async () => {
    native = await NativeApp.start({ providers: [admitting()] });
    const client = await native.client();
    const data = 'x'.repeat(60_000);
    client.send({ event: 'who', data: 1 });
    for (let i = 0; i < 20; i++) client.send({ event: 'who', data });
    expect(await client.next()).toEqual({ event: 'who', data: [null, 1] });
    for (let i = 0; i < 20; i++) expect(await client.next()).toEqual({ event: 'who' });
    admitted.resolve();
  });

  it('do not keep the end of an idle client from being noticed', async () => {
    const left = deferred();
    const never = new Promise<void>(() => undefined);
    @WebSocketGateway()
    class HangingGateway {
      handleConnection(): Promise<void> {
        return never;
      }

      handleDisconnect(): void {
        left.resolve();
      }
    }
    native = await NativeApp.start({ providers: [HangingGateway] });
    await (await native.client()).terminate();
    await left.promise;
  });
});

describe('a request-scoped gateway', () => {
  it('has one instance per connection, of its own', async () => {
    let instances = 0;
    @Injectable({ scope: Scope.REQUEST })
    @WebSocketGateway()
    class CountingGateway {
      @WebSocketServer()
      server!: Server;
      private count = 0;

      constructor() {
        instances++;
      }

      handleConnection(): void {
        this.count = 100;
      }

      @SubscribeMessage('count')
      async add(): Promise<object> {
        await Promise.resolve();
        return { event: 'count', data: [++this.count, this.server.clients.size] };
      }
    }
    native = await NativeApp.start({ providers: [CountingGateway] });
    const [a, b] = [await native.client(), await native.client()];
    const count = async (client: typeof a): Promise<unknown> => {
      client.send({ event: 'count' });
      return (await client.next()).data;
    };
    expect([await count(a), await count(a), await count(b), await count(a)]).toEqual([
      [101, 2],
      [102, 2],
      [101, 2],
      [103, 2],
    ]);
    expect(instances).toBe(2);
  });

  it('answers with the errors of its handlers like any other', async () => {
    @Injectable({ scope: Scope.REQUEST })
    @WebSocketGateway()
    class FailingGateway {
      @SubscribeMessage('fail')
      fail(): void {
        throw new WsException('test');
      }
    }
    native = await NativeApp.start({ providers: [FailingGateway] });
    const client = await native.client();
    client.send({ event: 'fail', data: { password: 'hunter2' } });
    expect(await client.next()).toEqual({
      event: 'exception',
      data: { status: 'error', message: 'test', cause: { pattern: 'fail', data: { password: 'hunter2' } } },
    });
  });
});

describe('gateways that contradict each other', () => {
  function moduleOf(providers: Type<object>[]): Type<object> {
    @Module({ providers })
    class OtherModule {}
    return OtherModule;
  }

  const gateway = (name: string, options: object): Type<object> => {
    const type = { [name]: class {} }[name]!;
    WebSocketGateway(options)(type);
    return type;
  };

  it.each([
    [
      'ask for different options on one path',
      [
        gateway('OneGateway', { path: '/x', maxPayload: 1_000 }),
        gateway('OtherGateway', { path: '/x', maxPayload: 50 }),
      ],
      'OneGateway and OtherGateway share a path but differ in maxPayload; one server has one set of options, so give both the same or another path',
    ],
    [
      'are provided in two modules',
      [EchoGateway],
      'EchoGateway is provided twice, so each of its hooks and handlers runs twice; provide it in one module and export it',
    ],
  ])('are warned of when they %s', async (_what, providers, line) => {
    const logs = captureLogs();
    native = await NativeApp.start({
      providers,
      imports: providers.length === 1 ? [moduleOf(providers)] : [],
    });
    expect(logs.warn).toEqual([line]);
  });

  it('serve one path together when they write it differently', async () => {
    const named = (name: string, path: string): Type<object> => {
      @WebSocketGateway({ path })
      class NamedGateway {
        handleConnection(client: WebSocket): void {
          client.send(JSON.stringify({ event: name }));
        }
      }
      return NamedGateway;
    };
    native = await NativeApp.start({ providers: [named('one', '/x'), named('other', 'x/')] });
    const client = await native.client('/x');
    const events = [(await client.next()).event, (await client.next()).event];
    expect(events.sort()).toEqual(['one', 'other']);
  });

  it('are not when they differ in what ws does not know, or in their paths', async () => {
    const options = { path: '/x', maxPayload: 1_000, perMessageDeflate: { threshold: 1 } };
    const providers = [
      gateway('OneGateway', options),
      gateway('OtherGateway', { ...options, perMessageDeflate: { threshold: 1 }, cors: true }),
      gateway('ThirdGateway', { path: '/y', maxPayload: 50 }),
    ];
    const logs = captureLogs();
    native = await NativeApp.start({ providers });
    await native.client('/x');
    await native.client('/y');
    expect(logs.warn).toEqual([]);
  });
});
