import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Rollback, type WssClientOptions, WssClient, type WssError } from '@wss/client';
import { eventually, freePort, GatewayCluster, GatewayNode, TcpProxy } from '@wss/testing';
import { WebSocket, WebSocketServer } from 'ws';

const clients: WssClient[] = [];
const open = (url: string, options: WssClientOptions = {}): WssClient => {
  const client = new WssClient(url, {
    WebSocket,
    backoff: { firstMs: 50, mostMs: 500 },
    ...options,
  });
  clients.push(client);
  return client;
};
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: WssError) => error.code,
  );

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

describe('against a cluster', () => {
  let cluster: GatewayCluster;
  let id: string;
  beforeAll(async () => {
    cluster = await GatewayCluster.start({ nodes: 2 });
  });
  afterAll(() => cluster?.stop());
  beforeEach(() => {
    id = randomUUID();
  });
  const url = (node: number, user = 'ann'): string => `${cluster.nodes[node]!.url}?user=${user}`;

  it('sends commands and gets typed replies and errors', async () => {
    const client = open(url(0));
    expect(await client.command('echo.say', { text: 'hi' })).toEqual({ text: 'hi' });
    const error = (await client
      .command('echo.say', { text: 5 })
      .catch((thrown: unknown) => thrown)) as WssError;
    expect(error).toMatchObject({ name: 'WssError', code: 'invalid', retry: false });
    expect(error.details).toContainEqual({ path: 'text', message: 'text must be a string' });
    expect(await codeOf(client.room(`chat:${id}`).command('chat.send', { text: '' }))).toBe('invalid');
    expect(await codeOf(client.room('nope:1').join())).toBe('not_found');
  });

  it('brings events in order to listeners and iterators, on other nodes too', async () => {
    const [ann, bob] = [open(url(0)), open(url(1, 'bob'))];
    const heard: unknown[] = [];
    const room = bob.room(`chat:${id}`);
    room.on('chat.sent', ({ data, seq }) => heard.push([seq, (data as { text: string }).text]));
    await room.join();
    const stop = new AbortController();
    const iterated: unknown[] = [];
    const iterating = (async () => {
      for await (const { seq } of room.events(stop.signal)) iterated.push(seq);
    })();
    await Promise.all(
      range(1, 50).map((i) => ann.room(`chat:${id}`).command('chat.send', { text: `m${i}` })),
    );
    await eventually(() => expect(iterated).toEqual(range(1, 50)));
    stop.abort();
    await iterating;
    expect(heard).toEqual(range(1, 50).map((i) => [i, `m${i}`]));
  });

  it('keeps a live copy that equals the document, and resolves commands when the copy has them', async () => {
    const [ann, bob] = [open(url(0)), open(url(1, 'bob'))];
    const [mine, theirs] = [ann.room(`board:${id}`), bob.room(`board:${id}`)];
    const state = mine.state<'board'>('board');
    await mine.join();
    const seen: unknown[] = [];
    state.subscribe((board) => seen.push((board as { cards: unknown[] }).cards.length));
    const { card } = (await mine.command('board.add-card', { title: 'a' })) as { card: string };
    expect(state.value).toEqual({ cards: [{ id: card, title: 'a' }] });
    for (const i of range(1, 20)) await theirs.command('board.add-card', { title: `t${i}` });
    await theirs.command('board.move-card', { card, to: 7 });
    const copy = theirs.state('board');
    await copy.ready;
    await eventually(() => expect(state.version).toBe(copy.version));
    expect(state.value).toEqual(copy.value);
    expect((state.value as { cards: { id: string }[] }).cards[7]!.id).toBe(card);
    expect(seen).toEqual([0, ...range(1, 21), 21]);
  });

  it('waits for a connection within bounds, and can give up', async () => {
    const client = open(`ws://127.0.0.1:${await freePort()}/`, { maxQueued: 3 });
    const room = client.room('counter:x');
    const stop = new AbortController();
    const work = [
      client.command('echo.say', { text: 'x' }, { signal: stop.signal }),
      room.command('counter.add', { by: 1 }, { timeoutMs: 50 }),
      room.command('counter.add', { by: 1 }),
    ].map(codeOf);
    expect(await codeOf(client.command('echo.say', { text: 'x' }))).toBe('queue_full');
    stop.abort({ code: 'aborted' });
    expect(await work[0]).toBe('aborted');
    expect(await work[1]).toBe('not_sent');
    client.close();
    expect(await work[2]).toBe('closed');
  });
});

describe('through faults', () => {
  it('applies every numbered command once and misses no event, through cut links', async () => {
    const cluster = await GatewayCluster.start({ nodes: 2 });
    const proxies = await Promise.all(
      cluster.nodes.map(({ httpUrl }) => TcpProxy.start({ to: Number(new URL(httpUrl).port) })),
    );
    const room = `counter:${randomUUID()}` as const;
    const users = range(1, 4).map((i) => open(`ws://127.0.0.1:${proxies[i % 2]!.port}/?user=u${i}`));
    const heard = users.map((client) => {
      const seqs: number[] = [];
      client.room(room).on('counter.added', ({ seq }) => seqs.push(seq!));
      client.room(room).onReset((reset) => seqs.push(-1, reset.position.seq));
      return seqs;
    });
    await Promise.all(users.map((client) => client.room(room).join()));
    let cutting = true;
    const cuts = (async () => {
      for (let i = 0; cutting; i++) {
        await eventually(() => expect(proxies[i % 2]!.connections).toBeGreaterThan(0));
        await new Promise((resolve) => setTimeout(resolve, 60));
        proxies[i % 2]!.cutNow();
      }
    })();
    const total = 4 * 300;
    await Promise.all(
      users.map(async (client) => {
        for (const _ of range(1, 10)) {
          await Promise.all(range(1, 30).map(() => client.room(room).command('counter.add', { by: 1 })));
        }
      }),
    );
    cutting = false;
    await cuts;
    const { value } = (await users[0]!.room(room).command('counter.add', { by: 0 })) as { value: number };
    expect(value).toBe(total);
    await eventually(
      () => {
        for (const seqs of heard) expect(seqs).toEqual(range(1, total + 1));
      },
      { withinMs: 20_000 },
    );
    for (const proxy of proxies) await proxy.stop();
    await cluster.stop();
  });

  it('goes on when its node is killed', async () => {
    const cluster = await GatewayCluster.start({ nodes: 2 });
    const proxy = await TcpProxy.start({ to: Number(new URL(cluster.nodes[0]!.httpUrl).port) });
    const client = open(`ws://127.0.0.1:${proxy.port}/?user=ann`);
    const room = client.room(`counter:${randomUUID()}`);
    const state = room.state('counter');
    const hellos: boolean[] = [];
    client.onHello(({ resumed }) => hellos.push(resumed));
    await room.command('counter.add', { by: 1 });
    const adding = Promise.all(range(1, 100).map(() => room.command('counter.add', { by: 1 })));
    proxy.target = Number(new URL(cluster.nodes[1]!.httpUrl).port);
    await cluster.nodes[0]!.kill();
    await adding;
    expect(await room.command('counter.add', { by: 1 })).toEqual({ value: 102 });
    expect(state.value).toEqual({ value: 102 });
    expect(hellos).toEqual([false, true]);
    await proxy.stop();
    await cluster.stop();
  });

  it.each(['resubmit', 'report'] as const)(
    'with onRollback "%s", deals with what Redis lost',
    async (onRollback) => {
      const cluster = await GatewayCluster.start({ nodes: 1 });
      const client = open(cluster.nodes[0]!.url, { onRollback });
      const room = client.room(`counter:${randomUUID()}`);
      const state = room.state('counter');
      const rollbacks: Rollback[] = [];
      client.onRollback((rollback) => rollbacks.push(rollback));
      for (const by of [1, 2, 3]) await room.command('counter.add', { by });
      await cluster.redis.kill();
      await cluster.redis.restart();
      await eventually(() => expect(rollbacks).toHaveLength(1), { withinMs: 20_000 });
      expect(rollbacks[0]).toMatchObject({
        room: room.name,
        commands: [1, 2, 3].map((by) => ({ n: by, event: 'counter.add', data: { by } })),
        resubmitted: onRollback === 'resubmit',
      });
      const expected = onRollback === 'resubmit' ? 6 : 0;
      expect(await room.command('counter.add', { by: 10 })).toEqual({ value: expected + 10 });
      expect(state.value).toEqual({ value: expected + 10 });
      await cluster.stop();
    },
  );
});

describe('a server that is none of ours', () => {
  const statusOf = async (client: WssClient): Promise<string | undefined> => {
    await eventually(() => expect(client.status.state).toBe('closed'));
    const { status } = client;
    return status.state === 'closed' ? status.error?.code : undefined;
  };

  it('is told apart by its kind', async () => {
    const node = await GatewayNode.start();
    expect(await statusOf(open(`${node.url}nope`))).toBe('bad_url');
    expect(await statusOf(open('http:// nope'))).toBe('bad_url');
    expect(await statusOf(open(`${node.url}?user=%00`))).toBe('bad_request');
    const plain = new WebSocketServer({ port: 0, handleProtocols: () => 'mqtt' });
    expect(await statusOf(open(`ws://127.0.0.1:${(plain.address() as AddressInfo).port}`))).toBe('version');
    const talker = new WebSocketServer({ port: 0, handleProtocols: () => 'wss.v1' });
    talker.on('connection', (socket) => socket.send('not a frame'));
    expect(await statusOf(open(`ws://127.0.0.1:${(talker.address() as AddressInfo).port}`))).toBe(
      'bad_server_frame',
    );
    const refusing = createServer();
    refusing.on('upgrade', (_request, socket) =>
      socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n'),
    );
    await new Promise<void>((resolve) => refusing.listen(0, resolve));
    expect(await statusOf(open(`ws://127.0.0.1:${(refusing.address() as AddressInfo).port}`))).toBe(
      'unauthenticated',
    );
    for (const server of [plain, talker, refusing]) server.close();
    await node.stop();
  });

  it('may be a plain gateway, without a session', async () => {
    const server = new WebSocketServer({ port: 0 });
    server.on('connection', (socket) =>
      socket.on('message', (message) => {
        const { event, data } = JSON.parse(String(message)) as { event: string; data: unknown };
        socket.send(JSON.stringify({ event: `${event}.done`, data }));
      }),
    );
    const client = open(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, { session: false });
    const answered = new Promise((resolve) => client.on('greet.done', resolve));
    await eventually(() => expect(client.status.state).toBe('open'));
    client.send('greet', { name: 'ann' });
    expect(await answered).toEqual({ name: 'ann' });
    server.close();
  });
});

/** A server of ours whose answers come when the test wants them. */
async function scripted(): Promise<{
  url: string;
  next(event: string): Promise<{ id: number }>;
  send(frame: object): void;
  close(): void;
}> {
  const server = new WebSocketServer({ port: 0, handleProtocols: () => 'wss.v1' });
  const frames: { event: string; id: number }[] = [];
  let send = (frame: object): void => void frame;
  server.on('connection', (socket) => {
    send = (frame) => socket.send(JSON.stringify(frame));
    socket.on('message', (message) => frames.push(JSON.parse(String(message)) as (typeof frames)[0]));
    const limits = { heartbeatMs: 25_000, maxFrameBytes: 65_536 };
    const data = {
      session: 's',
      token: 't',
      resumed: false,
      rooms: [],
      client: 'n.1',
      user: 'ann',
      ...limits,
    };
    send({ event: '$hello', data });
  });
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    next: (wanted) =>
      eventually(() => {
        const at = frames.findIndex(({ event }) => event === wanted);
        expect(at).toBeGreaterThanOrEqual(0);
        return frames.splice(at, 1)[0]!;
      }),
    send: (frame) => send(frame),
    close: () => server.close(),
  };
}

describe('the highest number that survived', () => {
  it('is of no weight where it was read before a command of the same epoch was answered (R15)', async () => {
    const server = await scripted();
    const client = open(server.url);
    const room = client.room('chat:x');
    const rollbacks: Rollback[] = [];
    client.onRollback((rollback) => rollbacks.push(rollback));
    const joined = room.join();
    const start = { epoch: '5.a', seq: 0, recovered: true, missed: 0, n: 0 };
    server.send({ id: (await server.next('$join')).id, data: start });
    await joined;
    const sent = room.command('chat.send', { text: 'a' });
    const command = await server.next('chat.send');
    const told = room.setMeta({});
    const join = await server.next('$join');
    server.send({ id: command.id, data: {}, seq: 1, epoch: '5.a' });
    await sent;
    server.send({ id: join.id, data: start });
    await told;
    expect(rollbacks).toEqual([]);
    server.send({ event: '$epoch', room: 'chat:x', data: { epoch: '6.b', seq: 0, n: 0 } });
    await eventually(() => expect(rollbacks).toHaveLength(1));
    expect(rollbacks[0]).toMatchObject({ commands: [{ n: 1, event: 'chat.send' }], resubmitted: true });
    server.close();
  });
});
