import { afterEach, describe, expect, it } from '@jest/globals';
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type CanActivate,
  type INestApplication,
  Inject,
  Injectable,
  Module,
  type ModuleMetadata,
  Scope,
  type Type,
  UseFilters,
  UseGuards,
  type WebSocketAdapter,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { IoAdapter } from '@nestjs/platform-socket.io';
import {
  Ack,
  BaseWsExceptionFilter,
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
  WsException,
} from '@nestjs/websockets';
import { eventually, freePort } from '@wss/testing';
import { of } from 'rxjs';
import type { Namespace, Server, ServerOptions, Socket } from 'socket.io';
import { ClusterWsAdapter } from '../../src/index.js';
import { captureLogs, releaseLogs } from '../captured-logs.js';
import { routerModule } from '../test-ports.js';
import { before, EchoGateway, NativeApp, type NativeAppOptions } from './native-app.js';
import { beginSocketIo, closeSocketIo, received, socketIo, type SocketIoOptions } from './socket-io.js';

let native: NativeApp | undefined;
afterEach(async () => {
  closeSocketIo();
  releaseLogs();
  await native?.stop();
  native = undefined;
});

const io = (app: INestApplication): { fallback: IoAdapter } => ({ fallback: new IoAdapter(app) });

async function start(providers: Type<object>[], options: NativeAppOptions = {}): Promise<NativeApp> {
  return (native = await NativeApp.start({ adapter: io, ...options, providers }));
}

/** A gateway that answers `who` with its name, over `ws` and socket.io alike. */
function named(name: string, decorator: ClassDecorator): Type<object> {
  @decorator
  class NamedGateway {
    @SubscribeMessage('who')
    who(): object {
      return { event: 'who', data: name };
    }
  }
  Object.defineProperty(NamedGateway, 'name', { value: `${name}Gateway` });
  return NamedGateway;
}

async function askSocketIo(port: number, namespace = '/', options: SocketIoOptions = {}): Promise<unknown> {
  const client = await socketIo(port, namespace, options);
  const answer = received(client, 'who');
  client.emit('who');
  return (await answer)[0];
}

async function askWs(path = '/'): Promise<unknown> {
  const client = await native!.client(path);
  client.send({ event: 'who' });
  return (await client.next()).data;
}

describe('a gateway that asks for socket.io', () => {
  it('has a namespace, while all others are served by ws', async () => {
    await start([
      named('chat', WebSocketGateway({ namespace: 'chat' })),
      named('news', WebSocketGateway({ namespace: '/news' })),
      named('live', WebSocketGateway({ path: '/live' })),
      EchoGateway,
    ]);
    expect(await askSocketIo(native!.port, '/chat')).toBe('chat');
    expect(await askSocketIo(native!.port, '/news')).toBe('news');
    expect(await askWs('/live')).toBe('live');
    expect(await before(await native!.client())).toEqual([]);
  });

  it.each([
    { transports: ['websocket' as const] },
    { cors: { origin: '*' } },
    { cookie: true },
    { allowEIO3: true },
    { pingInterval: 10_000 },
    { maxHttpBufferSize: 1_000 },
    { serveClient: false },
    { namespace: '/' },
  ])('may have the option %p', async (options) => {
    await start([named('io', WebSocketGateway(options)), named('ws', WebSocketGateway({ path: '/ws' }))]);
    expect(await askSocketIo(native!.port)).toBe('io');
    expect(await askWs('/ws')).toBe('ws');
  });

  it('is never one with the options of ws, or with those of both', async () => {
    const options = { path: '/ws', maxPayload: 1_000, perMessageDeflate: true };
    await start([named('ws', WebSocketGateway(options))]);
    expect(await askWs('/ws')).toBe('ws');
    await expect(socketIo(native!.port)).rejects.toThrow('websocket error');
  });

  it('is one that shares the server of such a gateway', async () => {
    await start([named('plain', WebSocketGateway()), named('cors', WebSocketGateway({ cors: true }))]);
    const client = await socketIo(native!.port);
    const answers: unknown[] = [];
    client.on('who', (name) => answers.push(name));
    client.emit('who');
    await eventually(() => expect(answers.sort()).toEqual(['cors', 'plain']));
  });

  it('may have a path and a port of its own', async () => {
    const port = await freePort();
    await start([
      named('path', WebSocketGateway({ namespace: 'a', path: '/deep/io' })),
      named('port', WebSocketGateway(port, { namespace: 'b' })),
      named('ws', WebSocketGateway({ path: '/deep' })),
    ]);
    expect(await askSocketIo(native!.port, '/a', { path: '/deep/io' })).toBe('path');
    expect(await askSocketIo(port, '/b')).toBe('port');
    expect(await askWs('/deep')).toBe('ws');
  });

  it('is named in the log', async () => {
    const lines: string[] = [];
    class TellingLogger {
      log = (line: string): unknown => lines.push(line);
      error = (): void => undefined;
      warn = (): void => undefined;
    }
    const gateways = [
      named('Chat', WebSocketGateway({ namespace: 'chat' })),
      named('Cors', WebSocketGateway({ path: '/io', cors: true })),
      named('Same', WebSocketGateway({ path: '/io' })),
      named('Live', WebSocketGateway({ path: '/live' })),
    ];
    await start(gateways, {
      adapter: (app) => {
        app.useLogger(new TellingLogger());
        return io(app);
      },
    });
    expect(lines).toEqual(
      expect.arrayContaining([
        'the fallback adapter serves ChatGateway (namespace), CorsGateway (cors), SameGateway (the same port and path)',
        'ws serves LiveGateway',
      ]),
    );
  });
});

describe('a namespace on the path of the router', () => {
  const router = (): Type<object> => named('router', WebSocketGateway({ commands: true, maxPayload: 500 }));
  const chat = (): Type<object> => named('chat', WebSocketGateway({ namespace: 'chat' }));

  it.each([
    ['before', () => [chat(), router()]],
    ['behind', () => [router(), chat()]],
  ])('is served by socket.io when its gateway is made %s that of the router', async (_when, gateways) => {
    native = await NativeApp.start({ adapter: io, ...routerModule({ providers: gateways() }) });
    const client = await native.client('/?user=ann');
    expect(await client.request('$ping', {})).toBeDefined();
    expect(await askSocketIo(native.port, '/chat')).toBe('chat');
    client.send({ event: 'who', data: 'x'.repeat(600) });
    expect(await client.closed).toMatchObject({ code: 1009 });
  });

  it('gives its options to no server of ws', async () => {
    await start([
      named('chat', WebSocketGateway({ namespace: 'chat', maxPayload: 10 })),
      named('plain', WebSocketGateway({})),
    ]);
    expect(await askWs()).toBe('plain');
    expect(await askSocketIo(native!.port, '/chat')).toBe('chat');
  });
});

describe('an application refuses to boot', () => {
  const boot = (providers: Type<object>[], options: NativeAppOptions = {}): Promise<NativeApp> => {
    captureLogs();
    return start(providers, options);
  };
  const routed = (name: string, options: object): Type<object> =>
    named(name, WebSocketGateway({ commands: true, ...options }));

  it('with a namespace and without a fallback, naming gateway and remedy', async () => {
    const gateways = [EchoGateway, named('Chat', WebSocketGateway({ namespace: 'chat' }))];
    await expect(boot(gateways, { adapter: {} })).rejects.toThrow(
      /^ChatGateway \("chat"\) asks for a namespace, which only socket\.io has; .*fallback: new IoAdapter\(app\).*path in place of the namespace$/,
    );
  });

  it('with a fallback and without the application', () => {
    expect(() => new ClusterWsAdapter(undefined, { fallback: new IoAdapter() })).toThrow(
      'a fallback needs the application: new ClusterWsAdapter(app, { fallback })',
    );
  });

  it('with a namespace on the gateway of the router', async () => {
    await expect(boot([routed('Live', { namespace: 'x' })])).rejects.toThrow(
      'LiveGateway has `commands: true` and a namespace; remove one of them',
    );
  });

  it('with an option of socket.io at the place of the router', async () => {
    const gateways = [
      routed('Live', { path: '/live' }),
      named('Io', WebSocketGateway({ path: '/live', cors: true })),
    ];
    await expect(boot(gateways)).rejects.toThrow(
      'IoGateway asks for socket.io (cors) at the port and path of LiveGateway; give it another path',
    );
  });

  it.each([
    [{ namespace: 'x', path: '/' }, '/live'],
    [{ namespace: 'x', path: '/live', addTrailingSlash: false }, '/live'],
    [{ namespace: 'x', path: '/live' }, '/live/feed'],
  ])('with the path of %p, which takes the requests for %s', async (options, path) => {
    const gateways = [
      named('Io', WebSocketGateway(options as object)),
      named('Live', WebSocketGateway({ path })),
    ];
    await expect(boot(gateways)).rejects.toThrow(
      'IoGateway asks for socket.io on a path where requests for LiveGateway, a gateway of ws, would go to it; give one of them another path',
    );
  });

  it('with a port of its own that both kinds ask for', async () => {
    const port = await freePort();
    const gateways = [
      named('Io', WebSocketGateway(port, { namespace: 'x' })),
      named('Ws', WebSocketGateway(port, { path: '/y' })),
    ];
    await expect(boot(gateways)).rejects.toThrow('on a port where requests for WsGateway');
  });
});

/** Runs the same gateways under `IoAdapter` alone and as a fallback, and returns what each noted. */
async function noteEach(
  gateways: (note: (line: string) => void) => ModuleMetadata,
  play: (port: number, notes: string[]) => Promise<void>,
): Promise<[string[], string[]]> {
  const run = async (adapter: (app: INestApplication) => WebSocketAdapter): Promise<string[]> => {
    @Module({})
    class RootModule {}
    const notes: string[] = [];
    const note = (line: string): unknown => notes.push(line);
    const module = { module: RootModule, ...gateways(note) };
    const app = await NestFactory.create(module, new FastifyAdapter(), { abortOnError: false });
    app.useWebSocketAdapter(adapter(app));
    await app.listen(0, '127.0.0.1');
    try {
      await play(((app.getHttpServer() as HttpServer).address() as AddressInfo).port, notes);
    } finally {
      await app.close();
    }
    return notes;
  };
  return [
    await run((app) => new IoAdapter(app)),
    await run((app) => new ClusterWsAdapter(app, { fallback: new IoAdapter(app) })),
  ];
}

describe('a gateway of the fallback sees and sends what it does under IoAdapter alone', () => {
  async function agrees(...scenario: Parameters<typeof noteEach>): Promise<void> {
    captureLogs();
    const [alone, fallback] = await noteEach(...scenario);
    expect(alone.length).toBeGreaterThan(0);
    expect(fallback).toEqual(alone);
  }

  @Injectable()
  class DenyingGuard implements CanActivate {
    canActivate(): boolean {
      return false;
    }
  }

  it('in its hooks, handlers, answers and errors', () =>
    agrees(
      (note) => {
        @WebSocketGateway({ namespace: 'chat', cors: true })
        class ChatGateway {
          @WebSocketServer()
          server!: Namespace;

          afterInit(server: Namespace): void {
            note(`init ${server === this.server} ${server.name}`);
          }

          handleConnection(client: Socket, ...rest: unknown[]): void {
            note(`came ${client.nsp.name} ${rest.length}`);
            client.data.user = client.handshake.auth.user;
          }

          handleDisconnect(client: Socket, reason: string): void {
            note(`left ${client.data.user} ${reason}`);
          }

          @SubscribeMessage('say')
          async say(@ConnectedSocket() client: Socket, @MessageBody() text: string): Promise<object> {
            await client.join('all');
            this.server.to('all').emit('said', client.data.user, text);
            return { event: 'confirmed', data: text.length };
          }

          @SubscribeMessage('ask')
          ask(@MessageBody() data: unknown): unknown {
            return { asked: data };
          }

          @SubscribeMessage('ack')
          acknowledge(@Ack() ack: (value: unknown) => void): void {
            ack('by hand');
          }

          @SubscribeMessage('many')
          many(): unknown {
            return of({ event: 'one', data: 1 }, { event: 'two', data: 2 });
          }

          @SubscribeMessage('fail')
          fail(): void {
            throw new WsException('refused');
          }

          @SubscribeMessage('guarded')
          @UseGuards(DenyingGuard)
          guarded(): void {
            note('never');
          }

          @SubscribeMessage('filtered')
          @UseFilters(new BaseWsExceptionFilter({ includeCause: false }))
          filtered(): void {
            throw new RangeError('secret');
          }
        }
        return { providers: [ChatGateway] };
      },
      async (port, notes) => {
        const client = await socketIo(port, '/chat', { auth: { user: 'ann' } });
        const seen: string[] = [];
        client.onAny((event, ...args) => seen.push(`${event} ${JSON.stringify(args)}`));
        client.emit('say', 'hello');
        await eventually(() => expect(seen).toHaveLength(2));
        for (const [event, data] of [
          ['ask', { a: Buffer.from([1]) }],
          ['ack', 1],
        ] as const) {
          seen.push(`ack ${JSON.stringify(await client.emitWithAck(event, data))}`);
        }
        client.emit('many');
        await eventually(() => expect(seen).toHaveLength(6));
        for (const event of ['fail', 'guarded', 'filtered']) {
          const answer = received(client, 'exception');
          client.emit(event, { secret: 1 });
          await answer;
        }
        notes.push(...seen);
        client.disconnect();
        await eventually(() => expect(notes.at(-1)).toBe('left ann client namespace disconnect'));
        const other = await socketIo(port, '/chat', { auth: { user: 'eve' } });
        other.io.engine.close();
        await eventually(() => expect(notes.at(-1)).toBe('left eve transport close'));
        await socketIo(port, '/chat', { auth: { user: 'zoe' } });
      },
    ));

  it('as a request-scoped one', () =>
    agrees(
      (note) => {
        @Injectable({ scope: Scope.REQUEST })
        @WebSocketGateway({ namespace: 'scoped' })
        class ScopedGateway {
          private count = 0;

          constructor(@Inject('name') readonly name: string) {}

          handleConnection(client: Socket): void {
            note('came');
            client.emit('name', this.name);
          }

          @SubscribeMessage('count')
          add(): number {
            return ++this.count;
          }
        }
        const name = { provide: 'name', scope: Scope.REQUEST, useFactory: () => 'first' };
        return { providers: [name, ScopedGateway] };
      },
      async (port, notes) => {
        for (let round = 0; round < 2; round++) {
          const client = beginSocketIo(port, '/scoped');
          notes.push(`named ${String((await received(client, 'name'))[0])}`);
          notes.push(`${await client.emitWithAck('count')} ${await client.emitWithAck('count')}`);
        }
      },
    ));
});

describe('the adapter that is the fallback', () => {
  it('may be a class that extends IoAdapter, as those with a Redis adapter do', async () => {
    const made: Server[] = [];
    class MiddlewareAdapter extends IoAdapter {
      override createIOServer(port: number, options?: ServerOptions): Server {
        const server = super.createIOServer(port, options) as Server;
        server.of('/chat').use((socket, next) => {
          next(socket.handshake.auth.token === 'good' ? undefined : new Error('bad token'));
        });
        made.push(server);
        return server;
      }
    }
    await start([named('chat', WebSocketGateway({ namespace: 'chat' })), EchoGateway], {
      adapter: (app) => ({ fallback: new MiddlewareAdapter(app) }),
    });
    expect(await askSocketIo(native!.port, '/chat', { auth: { token: 'good' } })).toBe('chat');
    await expect(socketIo(native!.port, '/chat')).rejects.toThrow('bad token');
    expect(made).toHaveLength(1);
  });

  it('is told to the log when it drops the options that it needs', async () => {
    class DroppingAdapter extends IoAdapter {
      override createIOServer(port: number): Server {
        return super.createIOServer(port, { cors: { origin: '*' } } as ServerOptions) as Server;
      }
    }
    const logs = captureLogs();
    await start([named('chat', WebSocketGateway({ namespace: 'chat' }))], {
      adapter: (app) => ({ fallback: new DroppingAdapter(app) }),
    });
    expect(logs.warn.join()).toContain('pass `options` on in createIOServer()');
  });

  it('hears of forceCloseConnections, and is disposed with the application', async () => {
    const heard: string[] = [];
    class HearingAdapter extends IoAdapter {
      override set forceCloseConnections(value: boolean) {
        heard.push(`force ${value}`);
      }

      override async close(server: Server): Promise<void> {
        heard.push('close');
        await super.close(server);
      }

      override dispose(): Promise<void> {
        heard.push('dispose');
        return super.dispose();
      }
    }
    const providers = [
      named('router', WebSocketGateway({ commands: true })),
      named('chat', WebSocketGateway({ namespace: 'chat' })),
    ];
    const app = await NativeApp.start({
      ...routerModule({ providers }),
      adapter: (nest) => ({ fallback: new HearingAdapter(nest) }),
    });
    await socketIo(app.port, '/chat');
    await app.stop();
    // The namespace, then its server, of which Nest does not know.
    expect(heard).toEqual(['force undefined', 'close', 'close', 'dispose']);
  });
});
