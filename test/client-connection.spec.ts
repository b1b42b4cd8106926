import { afterEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import { Module } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { WsAdapter } from '@nestjs/platform-ws';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { type Status, WssClient, type WssClientOptions, type WssError } from '@wss/client';
import { eventually, freePort, GatewayNode, TcpProxy } from '@wss/testing';
import { SignJWT } from 'jose';
import { type ServerOptions, WebSocket, WebSocketServer } from 'ws';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end();
});

const open = (url: string, options: WssClientOptions = {}): WssClient => {
  const client = new WssClient(url, { WebSocket, backoff: { firstMs: 20, mostMs: 100 }, ...options });
  endings.push(() => client.close());
  return client;
};
const startNode = async (env: NodeJS.ProcessEnv = {}): Promise<GatewayNode> => {
  const node = await GatewayNode.start({ env });
  endings.push(() => node.stop());
  return node;
};
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: WssError) => error.code,
  );
const isOpen = (client: WssClient): Promise<void> =>
  eventually(() => expect(client.status.state).toBe('open'), { withinMs: 10_000 });
const endOf = async (client: WssClient): Promise<string | undefined> => {
  await eventually(() => expect(client.status.state).toBe('closed'), { withinMs: 10_000 });
  return client.status.state === 'closed' ? client.status.error?.code : undefined;
};
/** Every status from now on. */
const watch = (client: WssClient): Status[] => {
  const seen: Status[] = [];
  client.onStatus((status) => seen.push(status));
  return seen;
};

/** A server that does what the test says, with each connection and its number. */
const scripted = (
  script: (socket: WebSocket, attempt: number) => void,
  options: ServerOptions = {},
): string => {
  const server = new WebSocketServer({ port: 0, ...options });
  let attempt = 0;
  server.on('connection', (socket) => script(socket, attempt++));
  endings.push(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
};
const greet = (socket: WebSocket, heartbeatMs = 25_000): void => {
  const data = { session: 's', token: 't', resumed: false, client: 'c', user: 'u', heartbeatMs };
  socket.send(JSON.stringify({ event: '$hello', data: { ...data, rooms: [], maxFrameBytes: 65_536 } }));
};
const listening = async (server: Server): Promise<string> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endings.push(() => server.close());
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

describe('a connection of the SDK', () => {
  it('finds a link that went dead and replaces it', async () => {
    const url = scripted((socket, attempt) => {
      greet(socket, 30);
      if (attempt > 0) socket.on('message', () => socket.send('{"id":0,"data":{}}'));
    });
    const client = open(url);
    const seen = watch(client);
    await eventually(() =>
      expect(seen).toContainEqual({ state: 'waiting', inMs: expect.any(Number), code: 4409 }),
    );
    await isOpen(client);
  });

  it('gives an attempt up that nobody answers, and makes another', async () => {
    const server = createServer();
    const sockets = new WebSocketServer({ noServer: true });
    let attempts = 0;
    server.on('upgrade', (request, socket, head) => {
      endings.push(() => socket.destroy());
      // As a node that was frozen, or a balancer that waits for one.
      if (attempts++ === 0) return;
      sockets.handleUpgrade(request, socket, head, (webSocket) => greet(webSocket));
    });
    const client = open(await listening(server), { greetWithinMs: 500 });
    const seen = watch(client);
    await isOpen(client);
    expect(seen).toContainEqual(expect.objectContaining({ state: 'waiting', code: 4409 }));
    expect(attempts).toBeGreaterThan(1);
  });

  it('goes on trying where it was greeted before', async () => {
    const url = scripted((socket, attempt) => {
      if (attempt !== 1) greet(socket);
      if (attempt === 0) socket.close(1012);
    });
    const client = open(url, { greetWithinMs: 500 });
    let hellos = 0;
    client.onHello(() => hellos++);
    await eventually(() => expect(hellos).toBe(2), { withinMs: 10_000 });
  });

  it("obeys the server's advice", async () => {
    const url = scripted((socket, attempt) => {
      greet(socket);
      if (attempt > 0) return;
      socket.send('{"event":"$notice","data":{"reconnectInMs":77}}');
      socket.close(1012);
    });
    const client = open(url);
    const seen = watch(client);
    await eventually(() => expect(seen).toContainEqual({ state: 'waiting', inMs: 77, code: 1012 }));
    await isOpen(client);
  });

  it('waits while nobody looks at the page, where that is asked for', async () => {
    const page = Object.assign(new EventTarget(), { hidden: true });
    Object.assign(globalThis, { document: page });
    endings.push(() => Reflect.deleteProperty(globalThis, 'document'));
    const node = await startNode();
    const proxy = await TcpProxy.start({ to: node.port });
    endings.push(() => proxy.stop());
    await proxy.setMode('cut');
    const client = open(`ws://127.0.0.1:${proxy.port}/`, { whileHidden: 'wait' });
    const seen = watch(client);
    await eventually(() => expect(client.status.state).toBe('waiting'));
    expect((client.status as { inMs?: number }).inMs).toBeUndefined();
    await proxy.setMode('pass');
    expect(seen.filter(({ state }) => state === 'connecting')).toEqual([]);
    page.hidden = false;
    page.dispatchEvent(new Event('visibilitychange'));
    await isOpen(client);
  });

  it('says why there is none, and what to do', async () => {
    const unreachable = open(`ws://127.0.0.1:${await freePort()}/`);
    await eventually(() =>
      expect(unreachable.status).toMatchObject({ state: 'waiting', error: { code: 'unreachable' } }),
    );
    const noSubprotocol = scripted(() => undefined, { handleProtocols: () => false });
    expect(await endOf(open(noSubprotocol))).toBe('version');
    const website = createServer();
    website.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n'));
    expect(await endOf(open(await listening(website)))).toBe('bad_url');
    for (const frame of ['null', '7', '[]', '{"data":{}}', '{"event":"$hello"}', 'nonsense']) {
      expect(await endOf(open(scripted((socket) => socket.send(frame))))).toBe('bad_server_frame');
    }
  });

  it('ends its iterators, which begin with their call', async () => {
    const node = await startNode();
    const client = open(node.url);
    const room = client.room(`chat:${randomUUID()}`);
    const [events, statuses] = [room.events(), client.statuses()];
    await room.command('chat.send', { text: 'a' });
    await eventually(() => expect(client.status.state).toBe('open'));
    await room.command('chat.send', { text: 'b' });
    await eventually(async () => expect((await events.next()).value).toMatchObject({ seq: 1 }));
    expect((await events.next()).value).toMatchObject({ seq: 2 });
    client.close();
    expect(await events.next()).toEqual({ done: true, value: undefined });
    const states: string[] = [];
    for await (const { state } of statuses) states.push(state);
    expect(states).toEqual(['open', 'closed']);
  });
});

describe('tokens', () => {
  const secret = 'a secret of more than thirty-two characters';
  const sign = (expiresInMs: number): Promise<string> =>
    new SignJWT({ sub: 'ann' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime(new Date(Date.now() + expiresInMs))
      .sign(new TextEncoder().encode(secret));

  it('are fetched before each attempt; one that is refused ends the client', async () => {
    const node = await startNode({ AUTH: 'jwt', JWT_SECRET: secret });
    let fetched = 0;
    const client = open(node.url, {
      token: async () => {
        if (++fetched === 1) throw new Error('signed out');
        return sign(60_000);
      },
    });
    const seen = watch(client);
    await isOpen(client);
    expect(seen[0]).toMatchObject({ state: 'waiting', error: { code: 'no_token' } });
    const expiresAt = await client.refreshToken();
    expect(expiresAt).toBeGreaterThan(Date.now());
    expect(fetched).toBe(3);
    expect(await endOf(open(node.url, { token: 'nonsense' }))).toBe('unauthenticated');
  });

  it('that end are followed by the next one, in the same session', async () => {
    const node = await startNode({ AUTH: 'jwt', JWT_SECRET: secret });
    const resumed: boolean[] = [];
    const client = open(node.url, { token: () => sign(2_000) });
    client.onHello((hello) => resumed.push(hello.resumed));
    const seen = watch(client);
    const room = client.room('counter:a');
    await room.command('counter.add', { by: 1 });
    await eventually(() => expect(resumed).toEqual([false, true]), { withinMs: 20_000 });
    expect(seen).toContainEqual({ state: 'waiting', inMs: expect.any(Number), code: 4401 });
    expect(await room.command('counter.add', { by: 1 })).toEqual({ value: 2 });
  });
});

describe('commands', () => {
  it('that are refused before they count leave no trace, and no traffic', async () => {
    const node = await startNode();
    let sent = 0;
    class Counting extends WebSocket {
      override send(text: string): void {
        sent++;
        super.send(text);
      }
    }
    const client = open(node.url, { WebSocket: Counting });
    const room = client.room('nope:1');
    for (let i = 0; i < 40; i++) expect(await codeOf(room.command('nope.do', {}))).not.toBe('ok');
    expect(sent).toBeLessThan(200);
    const before = sent;
    await client.command('echo.say', { text: 'the link is idle' });
    expect(sent).toBe(before + 1);
  });

  it('are what they were when they were given', async () => {
    const node = await startNode();
    const proxy = await TcpProxy.start({ to: node.port });
    endings.push(() => proxy.stop());
    await proxy.setMode('cut');
    const client = open(`ws://127.0.0.1:${proxy.port}/`);
    const data = { by: 1 };
    const answer = client.room('counter:b').command('counter.add', data);
    data.by = 100;
    await proxy.setMode('pass');
    expect(await answer).toEqual({ value: 1 });
  });

  it('that no frame can carry are refused here, and cost no connection', async () => {
    const node = await startNode();
    const client = open(node.url);
    const text = 'x'.repeat(70_000);
    expect(await codeOf(client.command('echo.say', { text }))).toBe('too_large');
    expect(await codeOf(client.room('chat:a').command('chat.send', { text }))).toBe('too_large');
    expect(await client.command('echo.say', { text: 'hi' })).toEqual({ text: 'hi' });
  });
});

it('a room that was left and joined again shows its state as it is', async () => {
  const node = await startNode();
  const [ann, bob] = [open(node.url), open(node.url)];
  const room = ann.room('counter:c');
  const copy = room.state('counter');
  await room.command('counter.add', { by: 1 });
  await room.leave();
  await bob.room('counter:c').command('counter.add', { by: 1 });
  expect(copy.value).toEqual({ value: 1 });
  await room.join();
  await eventually(() => expect(copy.value).toEqual({ value: 2 }));
  await bob.room('counter:c').command('counter.add', { by: 1 });
  await eventually(() => expect(copy.value).toEqual({ value: 3 }));
});

it("works against Nest's own gateways, without a session", async () => {
  @WebSocketGateway()
  class Greeter {
    @SubscribeMessage('greet')
    greet(@MessageBody() { name }: { name: string }): object {
      return { event: 'greeted', data: `hello ${name}` };
    }
  }
  @Module({ providers: [Greeter] })
  class Stock {}
  const app = await NestFactory.create(Stock, new FastifyAdapter(), { logger: false });
  app.useWebSocketAdapter(new WsAdapter(app));
  await app.listen(0, '127.0.0.1');
  endings.push(() => app.close());
  const client = open((await app.getUrl()).replace('http', 'ws'), { session: false });
  const greetings = client.events('greeted');
  await isOpen(client);
  client.send('greet', { name: 'ann' });
  expect((await greetings.next()).value).toBe('hello ann');
});
