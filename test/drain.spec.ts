import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { type Hello, WssClient } from '@wss/client';
import { SUBPROTOCOL } from '@wss/protocol';
import { eventually, GatewayCluster, TcpProxy } from '@wss/testing';
import { WebSocket } from 'ws';

const CLIENTS = 500;
const WINDOW_MS = 2_000;
const EVENTS = 40;
/** Of a client's wait in the worst case: the machine may be slow. */
const PATIENCE = { withinMs: 90_000 };

/** Everything that one client learnt, in order. */
interface Observed {
  readonly client: WssClient;
  readonly codes: number[];
  readonly advice: number[];
  /** After how long it meant to come back, ms. */
  readonly waits: number[];
  readonly hellos: Hello[];
  readonly seqs: number[];
  readonly order: string[];
}

let cluster: GatewayCluster;
/** The address of all clients: it leads new connections to one node. */
let balancer: TcpProxy;
const opened: WssClient[] = [];

beforeAll(async () => {
  cluster = await GatewayCluster.start({
    nodes: 2,
    proxied: true,
    readyWithinMs: 60_000,
    env: { DRAIN_WINDOW_MS: String(WINDOW_MS) },
  });
  balancer = await TcpProxy.start({ to: cluster.nodes[0]!.port });
});
afterAll(async () => {
  for (const client of opened) client.close();
  await balancer?.stop();
  await cluster?.stop();
});

function open(port: number, user: string, onAdvice: (ms: number) => void = () => undefined): WssClient {
  class ObservedSocket extends WebSocket {
    constructor(url: string, protocols?: string[]) {
      super(url, protocols);
      this.on('message', (bytes: Buffer) => {
        // A busy node refuses with advice of its own, on a socket that lives for nothing else.
        if (this.protocol !== SUBPROTOCOL) return;
        const advice = /^\{"event":"\$notice".*"reconnectInMs":(\d+)/.exec(String(bytes))?.[1];
        if (advice !== undefined) onAdvice(Number(advice));
      });
    }
  }
  const client = new WssClient(`ws://127.0.0.1:${port}/?user=${user}`, {
    WebSocket: ObservedSocket,
    greetWithinMs: PATIENCE.withinMs,
  });
  opened.push(client);
  return client;
}

async function watch(user: string, room: `chat:${string}`): Promise<Observed> {
  const advice: number[] = [];
  const client = open(balancer.port, user, (ms) => advice.push(ms));
  const seen: Observed = { client, codes: [], advice, waits: [], hellos: [], seqs: [], order: [] };
  client.onHello((hello) => seen.hellos.push(hello));
  let wasOpen = false;
  client.onStatus((status) => {
    // An attempt that a busy node did not answer in time is followed by another.
    const isLost = wasOpen && status.state === 'waiting';
    wasOpen = status.state === 'open';
    if (!isLost) return;
    seen.codes.push(status.code ?? 0);
    seen.waits.push(status.inMs ?? -1);
    seen.order.push('closed');
  });
  client.room(room).on('chat.sent', ({ seq }) => seen.seqs.push(seq!));
  await client.room(room).join();
  return seen;
}

/** Not all at once: a slow machine would not greet the last of them in time. */
async function watchAll(room: `chat:${string}`, clients: number): Promise<Observed[]> {
  const all: Observed[] = [];
  while (all.length < clients) {
    const length = Math.min(100, clients - all.length);
    const users = Array.from({ length }, (_, i) => `u${all.length + i}`);
    all.push(...(await Promise.all(users.map((user) => watch(user, room)))));
  }
  return all;
}

it('500 clients of a node that is stopped lose nothing and go on at the other', async () => {
  const [stopped, other] = cluster.nodes as [(typeof cluster.nodes)[0], (typeof cluster.nodes)[0]];
  const room = `chat:${randomUUID()}` as const;
  const slowRoom = `counter:${randomUUID()}` as const;
  const all = await watchAll(room, CLIENTS);
  // Numbers, because a failure that shows the clients themselves is nothing to read.
  const countOf = (which: (each: Observed) => boolean): number => all.filter(which).length;
  const writer = open(other.port, 'writer');
  let written = 0;
  const write = async (): Promise<void> => {
    await writer.room(room).command('chat.send', { text: `${++written}` });
  };
  await writer.room(room).join();
  await write();

  // A command that takes longer than its client would stay: its client is among the first to go.
  const slow = all[0]!;
  await slow.client.room(slowRoom).join();
  await slow.client.room(slowRoom).command('counter.add', { by: 1 });
  cluster.proxies[0]!.latencyMs = 100;
  const answer = slow.client
    .room(slowRoom)
    .command('counter.add', { by: 1 })
    .finally(() => slow.order.push('answered'));
  // Commands are started in order, so the slow one is under way when this one is answered.
  await slow.client.command('echo.say', { text: 'started' });
  expect(slow.order).toEqual([]);

  balancer.target = other.port;
  stopped.signal('SIGTERM');
  for (const step of Array.from({ length: EVENTS - 2 }, (_, i) => (i + 1) / (EVENTS - 1))) {
    // Spread over the time in which clients go and come.
    const gone = (): number => countOf(({ codes }) => codes.length > 0);
    await eventually(() => expect(gone()).toBeGreaterThanOrEqual(CLIENTS * step), PATIENCE);
    await write();
  }
  expect(await answer).toEqual({ value: 2 });
  expect(slow.order).toEqual(['answered', 'closed']);
  expect(await stopped.exited).toEqual({ code: 0, signal: null });
  await eventually(() => expect(countOf(({ hellos }) => hellos.length < 2)).toBe(0), PATIENCE);
  await write();

  expect(new Set(all.flatMap(({ codes }) => codes))).toEqual(new Set([1012]));
  expect(countOf(({ codes, advice }) => codes.length !== 1 || advice.length !== 1)).toBe(0);
  const advice = all.flatMap((each) => each.advice);
  expect(all.flatMap(({ waits }) => waits)).toEqual(advice);
  expect(advice.filter((ms) => ms < 0 || ms > WINDOW_MS)).toEqual([]);
  for (const { hellos } of all) {
    expect(hellos[1]).toMatchObject({ resumed: true, session: hellos[0]!.session });
    expect(hellos[1]!.client.startsWith(`${other.nodeId}.`)).toBe(true);
  }
  const expected = Array.from({ length: written }, (_, i) => i + 1);
  await eventually(() => expect(countOf(({ seqs }) => seqs.length < written)).toBe(0), PATIENCE);
  for (const { seqs } of all) expect(seqs).toEqual(expected);
  expect(await slow.client.room(slowRoom).command('counter.read', {})).toMatchObject({ value: 2 });
}, 240_000);

it('clients that have to go all at once are told to come back one after the other', async () => {
  const node = await cluster.addNode({
    DRAIN_DELAY_MS: '600000',
    DRAIN_WINDOW_MS: String(WINDOW_MS),
    SHUTDOWN_TIMEOUT_MS: '600000',
  });
  balancer.target = node.port;
  const all = await watchAll(`chat:${randomUUID()}`, 50);
  balancer.target = cluster.nodes[1]!.port;
  node.signal('SIGTERM');
  await node.waitForLine(/SIGTERM: shutting down/);
  node.signal('SIGTERM');
  expect(await node.exited).toEqual({ code: 0, signal: null });
  await eventually(
    () => expect(all.map(({ hellos }) => hellos[1]?.resumed)).toEqual(all.map(() => true)),
    PATIENCE,
  );
  const advice = all.flatMap((each) => each.advice);
  expect(all.flatMap(({ waits }) => waits)).toEqual(advice);
  expect(advice).toHaveLength(all.length);
  expect(new Set(advice).size).toBeGreaterThan(all.length / 2);
  expect(advice.filter((ms) => ms > WINDOW_MS)).toEqual([]);
}, 240_000);
