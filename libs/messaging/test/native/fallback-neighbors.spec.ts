import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { bindClass } from '@wss/core';
import { eventually, TestClient } from '@wss/testing';
import { WebSocket, WebSocketServer } from 'ws';
import { Admission, type Admitted, UpgradeRefusal } from '../../src/index.js';
import { releaseLogs } from '../captured-logs.js';
import { rawRequest, upgradeRequest } from '../raw-request.js';
import { routerModule } from '../test-ports.js';
import { EchoGateway, NativeApp } from './native-app.js';
import { closeSocketIo, received, socketIo, type SocketIoOptions, upgraded } from './socket-io.js';

/** Longer than engine.io leaves a request of another path alone. */
const ADMISSION_MS = 3_000;

@WebSocketGateway({ path: '/live', commands: true })
class LiveGateway {}

@WebSocketGateway({ namespace: 'chat' })
class ChatGateway {
  @SubscribeMessage('say')
  say(@MessageBody() data: unknown): object {
    return { event: 'said', data };
  }
}

@Injectable()
class SlowAdmission extends Admission {
  async admit(_request: IncomingMessage, url: URL): Promise<Admitted> {
    const user = url.searchParams.get('user') ?? 'guest';
    if (user !== 'quick') await delay(ADMISSION_MS);
    if (user === 'nobody') throw new UpgradeRefusal(401, 'nobody may connect');
    return { user };
  }

  override refresh(_token: string, user: string): Admitted {
    return { user };
  }
}

/** A server of another library on the same HTTP server, which takes the requests of one path. */
@Injectable()
class GraphServer implements BeforeApplicationShutdown {
  readonly server = new WebSocketServer({ noServer: true });

  constructor({ httpAdapter }: HttpAdapterHost) {
    this.server.on('connection', (client) =>
      client.on('message', (data) => client.send(`graph ${String(data)}`)),
    );
    httpAdapter.getHttpServer().on('upgrade', (request: IncomingMessage, socket: never, head: Buffer) => {
      if (request.url === '/late') setTimeout(() => rawAnswer(socket), ADMISSION_MS);
      if (request.url !== '/graphql') return;
      this.server.handleUpgrade(request, socket, head, (client) =>
        this.server.emit('connection', client, request),
      );
    });
  }

  beforeApplicationShutdown(): void {
    for (const client of this.server.clients) client.close(1001);
  }
}

function rawAnswer(socket: { end(text: string): void }): void {
  socket.end('HTTP/1.1 299 Late\r\nConnection: close\r\n\r\n');
}

let native: NativeApp;
beforeEach(async () => {
  native = await NativeApp.start({
    ...routerModule({
      providers: [LiveGateway, ChatGateway, EchoGateway, GraphServer, bindClass(Admission, SlowAdmission)],
    }),
    adapter: (app) => ({ fallback: new IoAdapter(app) }),
  });
});
afterEach(async () => {
  closeSocketIo();
  releaseLogs();
  await native.stop();
});

/** Says something over socket.io and returns the answer. */
async function say(options: SocketIoOptions): Promise<unknown[]> {
  const client = await socketIo(native.port, '/chat', options);
  if (options.transports?.length === 2) await upgraded(client);
  const answer = received(client, 'said');
  client.emit('say', options.transports);
  return answer;
}

async function graph(): Promise<WebSocket> {
  const client = new WebSocket(native.url('/graphql'));
  await once(client, 'open');
  const answer = once(client, 'message');
  client.send('query');
  expect(String((await answer)[0])).toBe('graph query');
  return client;
}

describe('beside socket.io and a third server on the HTTP server', () => {
  it('a client whose admission takes three seconds is served, and so is each of the others meanwhile', async () => {
    const slow = native.client('/live?user=slow');
    let isAdmitted = false;
    void slow.then(() => (isAdmitted = true));
    const refused = rawRequest(native.port, upgradeRequest('/live?user=nobody'));
    for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
      expect(await say({ transports })).toEqual([transports]);
    }
    await graph();
    const echo = await native.client();
    echo.send({ event: 'echo', data: 1 });
    expect(await echo.next()).toEqual({ event: 'echo', data: 1 });
    expect(isAdmitted).toBe(false);
    expect(await (await slow).request('$ping', {})).toBeDefined();
    expect(await refused).toContain('401 Unauthorized');
  });

  it('a request that the third server answers late is left to it', async () => {
    expect(await rawRequest(native.port, upgradeRequest('/late'))).toContain('299 Late');
  });

  it('a request that nobody answers gets 404', async () => {
    expect(await rawRequest(native.port, upgradeRequest('/nobody'))).toContain('404 Not Found');
  });

  it('all clients are told of the end of the application, which does end', async () => {
    const live = await native.client('/live?user=quick');
    const echo = await native.client();
    const third = await graph();
    const thirdClosed = once(third, 'close');
    const ends: string[] = [];
    for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
      const client = await socketIo(native.port, '/chat', { transports });
      if (transports.length === 2) await upgraded(client);
      client.once('disconnect', (reason) => ends.push(reason));
    }
    const admitting = TestClient.connect(native.url('/live?user=slow')).catch((error: Error) => error.name);
    await eventually(async () => expect(await connections(native)).toBeGreaterThanOrEqual(7));
    await native.app.close();
    expect(await live.closed).toEqual({ code: 1012, reason: 'service restart' });
    expect(await echo.closed).toEqual({ code: 1012, reason: 'service restart' });
    expect((await thirdClosed)[0]).toBe(1001);
    await eventually(() => expect(ends).toEqual(Array(3).fill('transport close')));
    expect(typeof (await admitting)).toBe('string');
  });
});

function connections({ httpServer }: NativeApp): Promise<number> {
  return new Promise((resolve, reject) =>
    httpServer.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );
}
