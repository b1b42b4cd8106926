import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { type BeforeApplicationShutdown, Injectable, type Type, UseInterceptors } from '@nestjs/common';
import type { CallHandler, ExecutionContext, NestInterceptor, WsMessageHandler } from '@nestjs/common';
import {
  MessageBody,
  type OnGatewayConnection,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
} from '@nestjs/websockets';
import { freePort, TestClient, type UpgradeRefused } from '@wss/testing';
import { from, map, type Observable, of } from 'rxjs';
import type { WebSocket, WebSocketServer as Server } from 'ws';
import { ClusterWsAdapter } from '../../src/index.js';
import { captureLogs, releaseLogs } from '../captured-logs.js';
import { before, deferred, EchoGateway, NativeApp } from './native-app.js';
import { rawRequest, upgradeRequest } from '../raw-request.js';

let native: NativeApp | undefined;
afterEach(async () => {
  releaseLogs();
  await native?.stop();
  native = undefined;
});

/** A gateway that answers `who` with its name. */
function named(name: string, decorator: ClassDecorator): Type<object> {
  @decorator
  class NamedGateway {
    @WebSocketServer()
    server!: Server & { path?: string };

    @SubscribeMessage('who')
    who(): object {
      return { event: 'who', data: [name, this.server.path ?? null] };
    }
  }
  return NamedGateway;
}

async function who(path: string, port?: number): Promise<unknown> {
  const client = await native!.client(path, port === undefined ? {} : { port });
  client.send({ event: 'who' });
  return (await client.next()).data;
}

const refusal = (path: string, port?: number): Promise<UpgradeRefused> =>
  native!.client(path, port === undefined ? {} : { port }).then(
    () => Promise.reject(new Error(`${path} was accepted`)),
    (error: UpgradeRefused) => error,
  );

describe('where gateways listen', () => {
  let ports: number[];
  beforeAll(async () => {
    ports = [await freePort(), await freePort()];
  });

  it('is the root of the application, unless they say something else', async () => {
    native = await NativeApp.start({ providers: [named('a', WebSocketGateway())] });
    expect(await who('/')).toEqual(['a', '/']);
    expect(await who('/?token=x')).toEqual(['a', '/']);
    expect((await refusal('/other')).status).toBe(404);
  });

  it.each([{ path: '/ws-path' }, { path: 'ws-path' }, { path: '/ws-path/' }, { path: '//ws-path' }])(
    'is their path, written as $path',
    async (options) => {
      native = await NativeApp.start({ providers: [named('a', WebSocketGateway(options))] });
      expect(await who('/ws-path')).toEqual(['a', '/ws-path']);
      expect((await refusal('/')).status).toBe(404);
    },
  );

  it('may be two paths of one port', async () => {
    native = await NativeApp.start({
      providers: [
        named('a', WebSocketGateway({ path: '/example' })),
        named('b', WebSocketGateway({ path: '/ws-path' })),
      ],
    });
    expect(await who('/example')).toEqual(['a', '/example']);
    expect(await who('/ws-path')).toEqual(['b', '/ws-path']);
  });

  it('may be one path of two ports', async () => {
    native = await NativeApp.start({
      providers: ports.map((port) => named(String(port), WebSocketGateway(port, { path: '/same' }))),
    });
    for (const port of ports) expect(await who('/same', port)).toEqual([String(port), '/same']);
  });

  it('may be two paths of each of two ports', async () => {
    const places = ports.flatMap((port) => ['/x', '/y'].map((path) => ({ port, path })));
    native = await NativeApp.start({
      providers: places.map(({ port, path }) => named(`${port}${path}`, WebSocketGateway(port, { path }))),
    });
    for (const { port, path } of places) expect(await who(path, port)).toEqual([`${port}${path}`, path]);
    expect((await refusal('/z', ports[0])).status).toBe(404);
  });

  it.each([[undefined], [{}], [{ path: '' }]])(
    'is every path of a port of their own, with %j',
    async (options) => {
      const port = ports[0]!;
      native = await NativeApp.start({ providers: [named('a', WebSocketGateway(port, options))] });
      for (const path of ['/', '/any', '/any/deeper?x=1']) expect(await who(path, port)).toEqual(['a', null]);
    },
  );

  it('is the closer one of a path and all paths of a port', async () => {
    const port = ports[0]!;
    native = await NativeApp.start({
      providers: [
        named('all', WebSocketGateway(port)),
        named('one', WebSocketGateway(port, { path: '/one' })),
      ],
    });
    expect(await who('/one', port)).toEqual(['one', '/one']);
    expect(await who('/two', port)).toEqual(['all', null]);
  });

  it('is told by the address of their server', async () => {
    const addresses: number[] = [];
    @WebSocketGateway(ports[0]!)
    class OwnPortGateway {
      afterInit(server: Server): void {
        addresses.push((server.address() as AddressInfo).port);
      }
    }
    native = await NativeApp.start({ providers: [OwnPortGateway] });
    expect(addresses).toEqual([ports[0]]);
  });

  it('answers what is no upgrade on a port of their own with 426', async () => {
    native = await NativeApp.start({ providers: [named('a', WebSocketGateway(ports[0]!))] });
    const response = await fetch(`http://127.0.0.1:${ports[0]}/`);
    expect([response.status, response.headers.get('upgrade')]).toEqual([426, 'websocket']);
  });

  it('fails the boot when their port is taken', async () => {
    const logs = captureLogs();
    const other = createTcpServer().listen(ports[0]);
    await once(other, 'listening');
    const boot = NativeApp.start({ providers: [named('a', WebSocketGateway(ports[0]!))] });
    await expect(boot).rejects.toThrow(`port ${ports[0]} can't be opened`);
    expect(logs.error.join()).toContain('EADDRINUSE');
    other.close();
    await once(other, 'close');
  });
});

describe('the context of a message', () => {
  @Injectable()
  class PatternInterceptor implements NestInterceptor {
    intercept(context: ExecutionContext, next: CallHandler<object>): Observable<unknown> {
      const ws = context.switchToWs();
      const seen = [
        context.getType(),
        ws.getPattern(),
        ws.getData<unknown>(),
        ws.getClient<WebSocket>().readyState,
      ];
      return next.handle().pipe(map((answer) => ({ ...answer, seen })));
    }
  }

  it('is ws and knows client, data and pattern', async () => {
    @WebSocketGateway()
    class PatternGateway {
      @SubscribeMessage('pattern')
      @UseInterceptors(PatternInterceptor)
      pattern(@MessageBody() data: string): object {
        return { event: 'pattern', data };
      }
    }
    native = await NativeApp.start({ providers: [PatternGateway] });
    const client = await native.client();
    client.send({ event: 'pattern', data: 'x' });
    expect(await client.next()).toMatchObject({ data: 'x', seen: ['ws', 'pattern', 'x', 1] });
  });
});

describe('a request that no gateway serves', () => {
  const complete = (status: string, body: string): RegExp =>
    new RegExp(
      `^HTTP/1\\.1 ${status}\\r\\nConnection: close\\r\\n(?:[A-Z][^\\r]+\\r\\n)*Content-Length: ${body.length + 1}\\r\\n\\r\\n${body}\\n$`,
    );

  it.each(['/nope', '/ws/', '/ws/deeper', '/WS', '/%77s'])('is answered with 404 at %s', async (target) => {
    native = await NativeApp.start({ providers: [named('a', WebSocketGateway({ path: '/ws' }))] });
    const answer = await rawRequest(native.port, upgradeRequest(target));
    expect(answer).toMatch(complete('404 Not Found', 'no WebSocket here'));
  });

  it.each(['//', 'http://[', 'ws://x:99999/ws'])(
    'is answered with 400 for the invalid URL %s',
    async (target) => {
      native = await NativeApp.start({ providers: [named('a', WebSocketGateway({ path: '/ws' }))] });
      const answer = await rawRequest(native.port, upgradeRequest(target));
      expect(answer).toMatch(complete('400 Bad Request', 'the request has no valid URL'));
    },
  );

  it('is left to another listener of the server', async () => {
    native = await NativeApp.start({ providers: [EchoGateway] });
    native.httpServer.on('upgrade', (_request, socket) =>
      setImmediate(() => socket.end('HTTP/1.1 299 Mine\r\n\r\n')),
    );
    const answer = await rawRequest(native.port, upgradeRequest('/nope'));
    expect(answer).toBe('HTTP/1.1 299 Mine\r\n\r\n');
  });

  it('is answered with 404 when no listener has answered it for five seconds', async () => {
    native = await NativeApp.start({ providers: [EchoGateway] });
    native.httpServer.on('upgrade', () => undefined);
    const answer = await rawRequest(native.port, upgradeRequest('/nope'));
    expect(answer).toMatch(complete('404 Not Found', 'no WebSocket here'));
  });

  it('leaves HTTP and the other clients alone', async () => {
    native = await NativeApp.start({ providers: [EchoGateway] });
    const client = await native.client();
    await rawRequest(native.port, upgradeRequest('//'));
    expect((await fetch(`http://127.0.0.1:${native.port}/`)).status).toBe(404);
    expect(await before(client)).toEqual([]);
  });
});

describe('the subprotocol of a native path', () => {
  it('is the first that the client offers, as ws has it, and never a token', async () => {
    native = await NativeApp.start({ providers: [EchoGateway] });
    const protocolOf = async (...protocols: string[]): Promise<string> =>
      (await native!.client('/', { protocols })).socket.protocol;
    expect(await protocolOf()).toBe('');
    expect(await protocolOf('graphql-ws', 'other')).toBe('graphql-ws');
    expect(await protocolOf('wss.token.secret', 'other')).toBe('other');
  });

  it('is what the gateway decides', async () => {
    const handleProtocols = (): string => 'second';
    native = await NativeApp.start({ providers: [named('a', WebSocketGateway({ handleProtocols }))] });
    const client = await native.client('/', { protocols: ['first', 'second'] });
    expect(client.socket.protocol).toBe('second');
  });

  it('does not keep verifyClient of the gateway from refusing', async () => {
    const verifyClient = (): boolean => false;
    native = await NativeApp.start({ providers: [named('a', WebSocketGateway({ verifyClient }))] });
    expect((await refusal('/')).status).toBe(401);
  });

  it('answers 400 and lives on where verifyClient of the gateway throws', async () => {
    const logs = captureLogs();
    const verifyClient = (): never => {
      throw new Error('a fault of the gateway');
    };
    native = await NativeApp.start({ providers: [named('a', WebSocketGateway({ verifyClient }))] });
    expect((await refusal('/')).status).toBe(400);
    expect(logs.error.join()).toContain('a fault of the gateway');
  });
});

describe('an adapter by itself', () => {
  const http: HttpServer[] = [];
  afterEach(async () => {
    for (const server of http.splice(0)) {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    }
  });

  async function httpServer(): Promise<HttpServer> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    http.push(server);
    return server;
  }

  const urlOf = (server: HttpServer): string => `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;

  /** Serves `echo`, and `sync` with a transformation that is done at once. */
  function serve(adapter: ClusterWsAdapter, server: Server): void {
    const handler = (message: string): WsMessageHandler => ({
      message,
      callback: (data: unknown, event: string) => Promise.resolve({ event, data }),
      isAckHandledManually: false,
    });
    adapter.bindClientConnect(server, (client) => {
      adapter.bindMessageHandlers(client as never, [handler('echo')], (data) =>
        from(data as Promise<unknown>),
      );
      adapter.bindMessageHandlers(client as never, [handler('sync')], () => of({ event: 'sync' }));
    });
  }

  it.each([
    ['omitted', (adapter: ClusterWsAdapter) => adapter.create(0)],
    ['undefined', (adapter: ClusterWsAdapter) => adapter.create(0, undefined)],
    ['empty', (adapter: ClusterWsAdapter) => adapter.create(0, {})],
    ['explicit', (adapter: ClusterWsAdapter) => adapter.create(0, { maxPayload: 1_000 })],
  ])('serves a client of create(0) with %s options', async (_what, create) => {
    const server = await httpServer();
    const adapter = new ClusterWsAdapter(server);
    const sockets = create(adapter);
    serve(adapter, sockets);
    const client = await TestClient.connect(urlOf(server));
    client.send({ event: 'sync' });
    expect(await client.next()).toEqual({ event: 'sync' });
    expect(await before(client)).toEqual([]);
    client.socket.terminate();
    await adapter.close(sockets);
    await adapter.dispose();
  });

  it('opens a port of its own for create(0) without an application', async () => {
    const adapter = new ClusterWsAdapter();
    const sockets = adapter.create(0);
    serve(adapter, sockets);
    const { port } = sockets.address() as AddressInfo;
    const client = await TestClient.connect(`ws://127.0.0.1:${port}/any`);
    expect(await before(client)).toEqual([]);
    client.socket.terminate();
    await adapter.close(sockets);
    await adapter.dispose();
  });

  it('closes its clients with 1012 and cuts those that do not answer', async () => {
    const server = await httpServer();
    const adapter = new ClusterWsAdapter(server);
    const sockets = adapter.create(0);
    serve(adapter, sockets);
    const polite = await TestClient.connect(urlOf(server));
    const deaf = await TestClient.connect(urlOf(server));
    deaf.socket.pause();
    await adapter.close(sockets);
    expect(sockets.clients.size).toBe(0);
    expect(await polite.closed).toEqual({ code: 1012, reason: 'service restart' });
    deaf.socket.resume();
    await deaf.closed;
    await adapter.dispose();
  });

  it('refuses with 503 while it closes, and with nothing once it is disposed', async () => {
    const server = await httpServer();
    const adapter = new ClusterWsAdapter(server);
    const sockets = adapter.create(0);
    serve(adapter, sockets);
    const deaf = await TestClient.connect(urlOf(server));
    deaf.socket.pause();
    const closed = adapter.close(sockets);
    await expect(TestClient.connect(urlOf(server))).rejects.toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
    });
    await closed;
    await adapter.dispose();
    deaf.socket.terminate();
    expect(server.listenerCount('upgrade')).toBe(0);
  });

  it('frees its own port, also from connections that say nothing', async () => {
    const port = await freePort();
    const adapter = new ClusterWsAdapter();
    const sockets = adapter.create(port, { path: '/a' });
    const other = adapter.create(port, { path: '/b' });
    serve(adapter, sockets);
    const silent = rawRequest(port, 'GET ');
    const client = await TestClient.connect(`ws://127.0.0.1:${port}/a`);
    await Promise.all([adapter.close(sockets), adapter.close(other)]);
    await adapter.dispose();
    await Promise.all([client.closed, silent.catch(() => undefined)]);
    const next = createServer().listen(port);
    await once(next, 'listening');
    http.push(next);
  });

  it('takes its listener off a server that it was given, so that none accumulate', async () => {
    const server = await httpServer();
    const listeners = (): string[] =>
      server.eventNames().map((name) => `${String(name)} ${server.listenerCount(name)}`);
    const baseline = listeners();
    for (let round = 0; round < 3; round++) {
      const adapter = new ClusterWsAdapter(server);
      const sockets = [adapter.create(0, { path: '/a' }), adapter.create(0, { path: '/b' })];
      expect(server.listenerCount('upgrade')).toBe(1);
      for (const each of sockets) await adapter.close(each);
      await adapter.dispose();
      expect(listeners()).toEqual(baseline);
    }
    expect(server.listening).toBe(true);
  });
});

describe('an application that ends', () => {
  it('leaves no listeners behind and frees its ports', async () => {
    const port = await freePort();
    const baseline = process.eventNames().map((name) => [name, process.listenerCount(name)]);
    const configure = (app: NativeApp['app']): unknown => app.enableShutdownHooks();
    for (let round = 0; round < 3; round++) {
      native = await NativeApp.start({
        providers: [named('a', WebSocketGateway()), named('b', WebSocketGateway(port))],
        configure: (app) => void configure(app),
      });
      const { httpServer } = native;
      expect(await who('/')).toEqual(['a', '/']);
      expect(await who('/', port)).toEqual(['b', null]);
      await native.stop();
      expect(httpServer.listenerCount('upgrade')).toBe(0);
      expect(process.eventNames().map((name) => [name, process.listenerCount(name)])).toEqual(baseline);
    }
  });

  it('serves its clients until Nest closes the sockets, and then tells them 1012', async () => {
    const held = deferred();
    const stopping = deferred();
    @WebSocketGateway()
    class DrainingGateway extends EchoGateway implements BeforeApplicationShutdown {
      async beforeApplicationShutdown(): Promise<void> {
        stopping.resolve();
        await held.promise;
      }
    }
    native = await NativeApp.start({ providers: [DrainingGateway] });
    const client = await native.client();
    const closing = native.app.close();
    await stopping.promise;
    expect(await before(client)).toEqual([]);
    held.resolve();
    expect(await client.closed).toEqual({ code: 1012, reason: 'service restart' });
    await closing;
  });

  it('waits for disconnect hooks before its stores are closed', async () => {
    const order: string[] = [];
    const hook = deferred();
    @WebSocketGateway()
    class LeavingGateway implements OnGatewayConnection {
      handleConnection(client: WebSocket): void {
        client.once('close', () => setImmediate(() => hook.resolve()));
      }

      async handleDisconnect(): Promise<void> {
        await hook.promise;
        order.push('cleaned up');
      }

      onApplicationShutdown(): void {
        order.push('stores closed');
      }
    }
    native = await NativeApp.start({ providers: [LeavingGateway] });
    await native.client();
    await native.app.close();
    expect(order).toEqual(['cleaned up', 'stores closed']);
  });
});
