import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type ArgumentsHost,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  Injectable,
  Scope,
  type Type,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD } from '@nestjs/core';
import {
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
} from '@nestjs/websockets';
import { type Client, GatewayError } from '@wss/core';
import { eventually } from '@wss/testing';
import { IsString } from 'class-validator';
import type { WebSocket, WebSocketServer as Server } from 'ws';
import { type ClientSocket, Drain, Hub } from '../../src/index.js';
import { Upgrades } from '../../src/connections/upgrades.js';
import { captureLogs, releaseLogs } from '../captured-logs.js';
import {
  deferred,
  type Deferred,
  EchoGateway,
  frames,
  NativeApp,
  type NativeAppOptions,
  SOCKET_FIELDS,
} from './native-app.js';
import { routerModule } from '../test-ports.js';

let native: NativeApp | undefined;
afterEach(async () => {
  releaseLogs();
  await native?.stop();
  native = undefined;
});

@WebSocketGateway({ commands: true })
class ClientGateway {}

class Said {
  @IsString()
  text!: string;
}

@Injectable()
class SayHandlers {
  @SubscribeMessage('router.say')
  say(@MessageBody() { text }: Said): object {
    return { text };
  }

  @SubscribeMessage('router.mixed')
  mixed(@ConnectedSocket() client: WebSocket): object {
    client.send('"native send"');
    return { reply: true };
  }

  @SubscribeMessage('router.fail')
  fail(): void {
    throw new RangeError('secret');
  }
}

@WebSocketGateway()
class NativeGateway {
  @WebSocketServer()
  server!: Server;

  @SubscribeMessage('native.say')
  say(@MessageBody() data: unknown): object {
    return { event: 'native.said', data };
  }
}

/** An application whose root path is served by gateways and the router. */
async function start({ providers = [], ...options }: NativeAppOptions = {}): Promise<NativeApp> {
  const metadata = routerModule({
    providers: [ClientGateway, NativeGateway, EchoGateway, SayHandlers, ...providers],
  });
  return (native = await NativeApp.start({ ...metadata, ...options }));
}

describe('a path that gateways and the router share', () => {
  it('takes an event to its gateway, and any other to the router', async () => {
    const client = await (await start()).client();
    client.send({ event: 'native.say', data: { text: 'a' } });
    expect(await client.next()).toEqual({ event: 'native.said', data: { text: 'a' } });
    expect(await client.request('router.say', { text: 'b' })).toMatchObject({ data: { text: 'b' } });
  });

  it.each([[undefined], [{ path: '/' }], [{ path: '', cors: true }], [{ maxPayload: 10 }]])(
    'may be written in several ways: %j beside the path of the router',
    async (options) => {
      captureLogs();
      @WebSocketGateway({ path: '/', commands: true })
      class RootGateway {}
      @WebSocketGateway(options)
      class OtherGateway extends NativeGateway {}
      native = await NativeApp.start(routerModule({ providers: [OtherGateway, RootGateway, SayHandlers] }));
      const client = await native.client('/?user=ann');
      client.send({ event: 'native.say', data: 'a' });
      expect(await client.next()).toEqual({ event: 'native.said', data: 'a' });
      expect(await client.request('router.say', { text: 'b' })).toMatchObject({ data: { text: 'b' } });
      await expect(native.client('/?user=nobody')).rejects.toMatchObject({ status: 401 });
    },
  );

  it('serves a client whose upgrade a gateway took from a server of its own, if it is admitted', async () => {
    const own = createServer().listen(0, '127.0.0.1');
    @WebSocketGateway()
    class UpgradingGateway {
      afterInit(server: Server): void {
        own.on('upgrade', (request, socket, head) =>
          server.handleUpgrade(request, socket, head, (client) => server.emit('connection', client, request)),
        );
      }
    }
    await start({ providers: [UpgradingGateway] });
    const { port } = own.address() as AddressInfo;
    const client = await native!.client('/?user=ann', { port });
    expect(await client.request('router.say', { text: 'b' })).toMatchObject({ data: { text: 'b' } });
    await expect(native!.client('/?user=nobody', { port })).rejects.toMatchObject({ status: 401 });
    own.close();
  });

  it('keeps what gateways write on a socket apart from the client, which stays who it is', async () => {
    @WebSocketGateway()
    class OwningGateway {
      handleConnection(socket: WebSocket): void {
        Object.assign(socket, Object.fromEntries(SOCKET_FIELDS.map((name) => [name, { of: name }])));
      }

      @SubscribeMessage('own')
      own(@ConnectedSocket() socket: WebSocket & Record<string, unknown>): object {
        return { event: 'own', data: SOCKET_FIELDS.map((name) => socket[name]) };
      }
    }
    @Injectable()
    class WhoHandlers {
      @SubscribeMessage('router.who')
      who(@ConnectedSocket() client: Client): object {
        return { user: client.user, id: typeof client.id };
      }
    }
    await start({ providers: [OwningGateway, WhoHandlers] });
    const client = await native!.client('/?user=ann');
    client.send({ event: 'own' });
    expect(await client.next()).toEqual({ event: 'own', data: SOCKET_FIELDS.map((name) => ({ of: name })) });
    expect(await client.request('router.who')).toMatchObject({ data: { user: 'ann', id: 'string' } });
    const hub = native!.app.get(Hub);
    expect([...hub.all()].map(({ user }) => user)).toEqual(['ann']);
    await client.close();
    await eventually(() => expect(hub.size).toBe(0));
  });

  it('parses each frame once', async () => {
    let parsed = 0;
    const messageParser = (data: unknown): unknown => {
      parsed++;
      return JSON.parse(String(data));
    };
    const client = await (await start({ adapter: { messageParser } })).client();
    await client.command('router.say', { text: 'b' });
    client.send({ event: 'native.say' });
    await client.event('native.said');
    await client.request('unknown.event');
    expect(parsed).toBe(3);
  });

  it.each([
    ['an unknown event', '{"event":"nope","id":1}', { id: 1, error: { code: 'unknown_event' } }],
    [
      'an event named constructor',
      '{"event":"constructor","id":1}',
      { id: 1, error: { code: 'unknown_event' } },
    ],
    ['an event named __proto__', '{"event":"__proto__","id":1}', { id: 1, error: { code: 'unknown_event' } }],
    ['text that is no JSON', '{', { event: 'error', data: { code: 'bad_frame' } }],
    ['a number', '7', { event: 'error', data: { code: 'bad_frame' } }],
    ['null', 'null', { event: 'error', data: { code: 'bad_frame' } }],
    ['bytes', Buffer.from('{"event":"native.say"}'), { event: 'error', data: { code: 'bad_frame' } }],
  ])('answers %s as the router does', async (_what, frame, answer) => {
    const logs = captureLogs();
    const client = await (await start()).client();
    client.sendRaw(frame);
    expect(await frames(client, 1)).toMatchObject([answer]);
    expect(logs.error).toEqual([]);
  });

  it('keeps the order of what gateways and handlers send', async () => {
    const client = await (await start()).client();
    for (let id = 0; id < 20; id++) {
      client.send({ event: 'router.mixed', id });
      expect(await client.next()).toEqual({ malformed: '"native send"' });
      expect(await client.next()).toEqual({ id, data: { reply: true } });
    }
  });

  it('admits its clients, which other paths do not', async () => {
    @WebSocketGateway({ path: '/open' })
    class OpenGateway {}
    await start({ providers: [OpenGateway] });
    await expect(native!.client('/?user=nobody')).rejects.toMatchObject({ status: 401 });
    await native!.client('/open?user=nobody');
    expect(native!.app.get(Hub).size).toBe(0);
  });

  it('knows a client by its admission, and no longer than it is connected', async () => {
    await start();
    const client = await native!.client('/?user=ann');
    const hub = native!.app.get(Hub);
    expect([...hub.all()].map(({ user }) => user)).toEqual(['ann']);
    await client.close();
    await eventually(() => expect(hub.size).toBe(0));
  });

  it('is free of a client whose handleConnection failed', async () => {
    captureLogs();
    @WebSocketGateway()
    class FailingGateway {
      handleConnection(): never {
        throw new Error('secret');
      }
    }
    await start({ providers: [FailingGateway] });
    const client = await native!.client();
    expect(await client.next()).toMatchObject({ event: 'exception' });
    expect((await client.closed).code).toBe(1011);
    await eventually(() => expect(native!.app.get(Hub).size).toBe(0));
  });

  it('holds commands while a handleConnection is at work', async () => {
    const admitted: Deferred = deferred();
    const order: string[] = [];
    @WebSocketGateway()
    class AdmittingGateway {
      async handleConnection(socket: WebSocket): Promise<void> {
        socket.on('message', () => order.push('arrived'));
        await admitted.promise;
        order.push('connected');
      }
    }
    await start({ providers: [AdmittingGateway] });
    const client = await native!.client();
    const reply = client.command('router.say', { text: 'x' }).then(() => order.push('replied'));
    await eventually(() => expect(order).toEqual(['arrived']));
    expect([...native!.app.get(Hub).all()][0]?.isPaused).toBe(false);
    admitted.resolve();
    await reply;
    expect(order).toEqual(['arrived', 'connected', 'replied']);
  });

  describe('and a handleConnection that never ends', () => {
    @WebSocketGateway()
    class HangingGateway {
      handleConnection(): Promise<void> {
        return new Promise(() => undefined);
      }
    }

    it('goes on after five seconds', async () => {
      const client = await (await start({ providers: [HangingGateway] })).client();
      client.send({ event: 'router.say', id: 1, data: { text: 'x' } });
      const [frame] = (await once(client.socket, 'message')) as [Buffer];
      expect(JSON.parse(String(frame))).toMatchObject({ id: 1, data: { text: 'x' } });
    });

    it('notices that its client has gone, which sent something', async () => {
      const client = await (await start({ providers: [HangingGateway] })).client();
      client.send({ event: 'router.say', data: { text: 'x' } });
      await client.close();
      await eventually(() => expect(native!.app.get(Hub).size).toBe(0));
    });

    it('reads no more than a bound from its client', async () => {
      const client = await (await start({ providers: [HangingGateway] })).client();
      const [held] = [...native!.app.get(Hub).all()];
      const data = 'x'.repeat(60_000);
      for (let i = 0; i < 100; i++) client.send({ event: 'router.say', data });
      await eventually(() => expect(held!.isPaused).toBe(true));
    });
  });

  it('may have a request-scoped gateway', async () => {
    @Injectable({ scope: Scope.REQUEST })
    @WebSocketGateway()
    class ScopedGateway {
      private count = 0;

      @SubscribeMessage('count')
      add(): object {
        return { event: 'count', data: ++this.count };
      }
    }
    await start({ providers: [ScopedGateway] });
    for (const client of [await native!.client(), await native!.client()]) {
      client.send({ event: 'count' });
      expect(await client.next()).toEqual({ event: 'count', data: 1 });
      await client.command('router.say', { text: 'x' });
    }
  });

  it('closes a client that does not read, and nothing else', async () => {
    captureLogs();
    await start();
    const [slow, other] = [await native!.client(), await native!.client()];
    const [socket] = [...native!.app.get(Hub).all()] as ClientSocket[];
    slow.socket.pause();
    const data = 'x'.repeat(3_000_000);
    await eventually(
      () => {
        socket!.send(data);
        expect(socket!.readyState).not.toBe(1);
      },
      { everyMs: 1 },
    );
    await other.command('router.say', { text: 'x' });
    slow.socket.terminate();
  });

  it('refuses upgrades with 503 from the moment that is asked for, as do other paths', async () => {
    @WebSocketGateway({ path: '/other' })
    class OtherGateway {}
    await start({ providers: [OtherGateway] });
    native!.app.get(Upgrades).refuseAll();
    for (const path of ['/', '/other']) {
      await expect(native!.client(path)).rejects.toMatchObject({
        status: 503,
        headers: { 'retry-after': '1' },
      });
    }
  });

  it('lets its clients go with 1012', async () => {
    await start();
    const client = await native!.client();
    await native!.app.get(Drain).run({ windowMs: 0, over: AbortSignal.timeout(5_000) });
    expect(await client.closed).toEqual({ code: 1012, reason: 'service restart' });
  });
});

describe('an event that a gateway and the router both handle', () => {
  function handling(event: string, options: object): Type<object> {
    @WebSocketGateway(options)
    class DoubleGateway {
      @SubscribeMessage(event)
      onEvent(): void {}
    }
    return DoubleGateway;
  }

  it.each(['router.say', '$join'])('fails the boot on a shared path: %s', async (event) => {
    await expect(start({ providers: [handling(event, {})] })).rejects.toThrow(
      `"${event}" is handled by DoubleGateway.onEvent and by the command router on one path; rename one of them, or give the gateway another path`,
    );
  });

  it('fails the boot when the method is inherited', async () => {
    class Base {
      @SubscribeMessage('router.say')
      onEvent(): void {}
    }
    @WebSocketGateway()
    class InheritingGateway extends Base {}
    await expect(start({ providers: [InheritingGateway] })).rejects.toThrow('InheritingGateway.onEvent');
  });

  it('is welcome on different paths', async () => {
    await start({ providers: [handling('router.say', { path: '/other' })] });
  });

  it('is welcome when no path is shared', async () => {
    const providers = [handling('router.say', {}), SayHandlers];
    native = await NativeApp.start(routerModule({ providers }));
  });
});

describe('enhancers of the whole application', () => {
  const seen: string[] = [];

  @Injectable()
  class SeeingGuard implements CanActivate {
    canActivate(context: ExecutionContext): boolean {
      seen.push(`${context.getType()} ${context.switchToWs().getPattern()}`);
      return !context.switchToWs().getPattern().endsWith('fail') || context.getType() !== 'ws';
    }
  }

  @Catch(RangeError)
  class TranslatingFilter implements ExceptionFilter {
    catch(_error: unknown, host: ArgumentsHost): never {
      throw new GatewayError('conflict', `translated in ${host.getType()}`);
    }
  }

  it('guard native handlers and those of the router alike', async () => {
    await start({ providers: [{ provide: APP_GUARD, useClass: SeeingGuard }] });
    const client = await native!.client();
    client.send({ event: 'native.say' });
    await client.event('native.said');
    await client.command('router.say', { text: 'x' });
    expect(seen).toEqual(['ws native.say', 'ws router.say']);
    expect(await client.request('router.fail')).toMatchObject({ error: { code: 'forbidden' } });
  });

  it('translate no errors, as on gateways of Nest', async () => {
    captureLogs();
    await start({ providers: [{ provide: APP_FILTER, useClass: TranslatingFilter }] });
    const client = await native!.client();
    expect(await client.request('router.fail')).toMatchObject({ error: { code: 'internal' } });
  });
});
