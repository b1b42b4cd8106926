import { setTimeout as delay } from 'node:timers/promises';
import { RedisServer, TcpProxy } from '@wss/testing';
import type { Flaw } from './local-node.js';
import { dialAnyOf, type LocalChaosNode, startLocalNode } from './nodes.js';
import type { Random } from '@wss/testing';
import { Stage, type Verdict } from './stage.js';

/** How much a run does. */
export interface ExactlyOnceOptions {
  readonly commands: number;
  readonly sessions: number;
  readonly nodes: number;
  readonly flaw?: Flaw;
  readonly settleWithinMs?: number;
}

const ROOM = 'counter:once';
/** Most commands of one session that are under way; what comes later waits. */
const AT_ONCE = 4;
/** Commands that a client sends before it changes nodes, on average. */
const STAY_COMMANDS = 25;
/** A link passes for the first part, loses replies for the second and is cut, ms. */
const PASS_MS = 20;
const LOSE_MS = 10;
/** A link on which nothing is answered passes for this long at most, ms. */
const PATIENCE_MS = 1_000;

/**
 * Numbered commands over links that are cut every 30 ms, after they have lost replies for a while; clients change
 * nodes all the time and send again until they are answered.
 */
export async function runExactlyOnce(options: ExactlyOnceOptions): Promise<Verdict> {
  const { commands, sessions, flaw, settleWithinMs } = options;
  const redis = await RedisServer.start();
  const proxies = await Promise.all(
    Array.from({ length: options.nodes }, () => TcpProxy.start({ to: redis.port })),
  );
  const nodes = await Promise.all(proxies.map((proxy) => startLocalNode(proxy, flaw ? { flaw } : {})));
  const stage = new Stage({
    rooms: [ROOM],
    clients: Array.from({ length: sessions }, (_, i) => `s${i}`),
    port: () => redis.port,
    ...(settleWithinMs !== undefined && { settleWithinMs }),
  });
  const stop = new AbortController();
  try {
    for (let i = 0; i < sessions; i++) await stage.client(dialAnyOf(() => nodes, i));
    const faults = nodes.map(async (node) => {
      stage.history.count('cuts', await disturbLinks(node, stage, stop.signal));
    });
    await Promise.all(
      stage.clients.map((_, i) => send(stage, i, share(commands, sessions, i), stage.random.fork())),
    );
    stop.abort();
    await Promise.all(faults);
    return await stage.finish();
  } finally {
    stop.abort();
    await stage.leave();
    await Promise.all(nodes.map((node) => node.kill()));
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await redis.stop();
  }
}

function share(total: number, parts: number, part: number): number {
  return Math.floor(total / parts) + (part < total % parts ? 1 : 0);
}

async function send(stage: Stage, client: number, count: number, random: Random): Promise<void> {
  const room = stage.clients[client]!.room(ROOM);
  const underWay = new Set<Promise<void>>();
  for (let i = 0; i < count; i++) {
    const answered: Promise<void> = room.add().then(() => void underWay.delete(answered));
    underWay.add(answered);
    if (random.below(STAY_COMMANDS) === 0) stage.clients[client]!.drop();
    if (underWay.size >= AT_ONCE) await Promise.race(underWay);
  }
  await Promise.all(underWay);
}

/**
 * Cuts a node's links 30 ms after they have come up, again and again; on a busy machine later, when nothing at all was
 * answered meanwhile. Resolves to how often.
 */
async function disturbLinks(node: LocalChaosNode, stage: Stage, stop: AbortSignal): Promise<number> {
  const { proxy, local } = node;
  for (let cuts = 0; ; cuts++) {
    while (local.links.problem() !== undefined && !stop.aborted) await delay(1);
    const answered = stage.history.counted('answers');
    const patience = AbortSignal.any([stop, AbortSignal.timeout(PATIENCE_MS)]);
    await delay(PASS_MS);
    while (stage.history.counted('answers') === answered && !patience.aborted) await delay(1);
    await proxy.setMode('dropReplies');
    await delay(LOSE_MS);
    await proxy.setMode('pass');
    if (stop.aborted) return cuts;
    proxy.cutNow();
  }
}
