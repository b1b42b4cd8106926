import { fork } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { main, say } from '../scripts/lib/project.mjs';
import { ensureBuilt } from '../scripts/lib/build.mjs';
import { ensureProgram } from '../scripts/lib/debian.mjs';
import { median, quantile } from './shared/quantile.mjs';
import { RawSocket } from './shared/raw-socket.mjs';

/**
 * The cost of limits for requests and commits of which none is near a limit: the time of the processor that a node, and
 * for commits Redis, needs for one, with the limits that it has by default, against one without limits; and that of
 * commits with `@RateLimit` against commits without. `--against <folder>` has the build of another release as the
 * reference. Both sides of a round run one after the other, in random order; a ratio is the median of the rounds', and
 * its spread is that of the middle half of them.
 */
const DEFAULTS = { name: 'default limits', limits: {} };
const NONE = { name: 'no limits', limits: { framesPerSecond: false, bytesPerSecond: false } };

/** Clients that ask one thing at a time, and clients that ask several at once; none of them comes near its share. */
const LOADS = [
  { name: 'one request at a time', clients: 100, underWay: 1, text: 'hello' },
  { name: '20 requests at a time', clients: 100, underWay: 20, text: 'hello' },
  { name: 'requests of 4 kB', clients: 100, underWay: 1, text: 'x'.repeat(4_000) },
  { name: 'commits', clients: 50, underWay: 4, event: 'tally.add' },
  // Both on the node with the default limits.
  { name: "commits, per: 'room'", clients: 50, underWay: 4, event: 'tally.room', reference: 'tally.add' },
  { name: "commits, per: 'user'", clients: 50, underWay: 4, event: 'tally.user', reference: 'tally.add' },
  { name: 'commits, overRooms', clients: 50, underWay: 4, event: 'tally.everywhere', reference: 'tally.add' },
  { name: "commits, per: 'client'", clients: 50, underWay: 4, event: 'tally.client', reference: 'tally.add' },
];

/** Printed names of the parts of the cost. */
const NAMES = { node: 'node', engine: 'Redis', sum: 'both' };

/** Rooms that the clients of a load with commits are in. */
const ROOMS = 10;

await main(async (args) => {
  const options = {
    rounds: { type: 'string', default: '40' },
    seconds: { type: 'string', default: '0.4' },
    against: { type: 'string' },
    only: { type: 'string', default: '' },
  };
  const { values } = parseArgs({ args, options });
  await ensureProgram('redis-server');
  await ensureBuilt();
  const { RedisServer } = await import('../dist/libs/testing/src/servers/redis-server.js');
  const redis = await RedisServer.start();
  const own = pathToFileURL(`${resolve('dist')}/`).href;
  const other = values.against && pathToFileURL(`${resolve(values.against)}/dist/`).href;
  const servers = [
    await start({ ...DEFAULTS, root: own, redis }),
    await start({
      ...(other ? { name: 'the other build', limits: 'none', root: other } : { ...NONE, root: own }),
      redis,
    }),
  ];
  try {
    const chosen = LOADS.filter(({ name }) => name.includes(values.only));
    for (const load of chosen) {
      const pair = load.reference
        ? withLimits(load, servers[0])
        : servers.map((server) => ({ ...server, load }));
      report(load, pair, await measure(pair, values));
    }
  } finally {
    for (const { child } of servers) child.kill('SIGKILL');
    await redis.stop();
  }
});

/** The same node twice, with the limited command and with the other one. */
function withLimits(load, server) {
  return [
    { ...server, name: '@RateLimit', load },
    { ...server, name: 'none', load: { ...load, event: load.reference } },
  ];
}

async function start({ name, limits, root, redis }) {
  const child = fork(new URL('limits/gateway.mjs', import.meta.url), [
    root,
    limits === 'none' ? limits : JSON.stringify(limits),
    redis.url,
  ]);
  const [{ port }] = await once(child, 'message');
  return { name, child, redis, url: `ws://127.0.0.1:${port}/` };
}

/** Returns the samples of each server: microseconds of the processor per request, of the node and of Redis. */
async function measure(servers, { rounds, seconds }) {
  const samples = servers.map(() => []);
  // The first round warms them up.
  for (let round = 0; round <= Number(rounds); round++) {
    const order = [...servers.keys()];
    for (const index of Math.random() < 0.5 ? order : order.reverse()) {
      const cost = await costOf(servers[index], Number(seconds) * 1_000);
      if (round > 0) samples[index].push(cost);
    }
  }
  return samples;
}

async function costOf({ load, child, redis, url }, ms) {
  const { clients, underWay } = load;
  const sockets = await Promise.all(Array.from({ length: clients }, (_, index) => connected(url, index)));
  const frames = await Promise.all(sockets.map((client, index) => frameOf(load, client, index)));
  await cpuOf(child);
  const engineMs = await cpuOfRedis(redis);
  const until = performance.now() + ms;
  const counts = sockets.map((client, index) => work(client, { underWay, frame: frames[index], until }));
  const total = (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  const cpuMs = await cpuOf(child);
  const ownMs = load.event ? (await cpuOfRedis(redis)) - engineMs : 0;
  for (const { socket } of sockets) socket.terminate();
  const [node, engine] = [cpuMs, ownMs].map((usedMs) => (usedMs * 1_000) / total);
  return { node, engine, sum: node + engine };
}

function connected(url, index) {
  return new Promise((resolve, reject) => {
    const client = { onText: () => undefined };
    client.socket = new RawSocket(`${url}?user=u${index}`, {
      onOpen: () => resolve(client),
      onText: (bytes) => client.onText(bytes),
      onEnd: (reason) => reject(new Error(reason)),
    });
  });
}

/** The request of a client, which has joined the room of its commits. */
async function frameOf({ event, text }, client, index) {
  if (!event) return JSON.stringify({ event: 'echo.say', id: 1, data: { text } });
  const room = `tally:${index % ROOMS}`;
  const joined = new Promise((resolve) => (client.onText = resolve));
  client.socket.send(JSON.stringify({ event: '$join', id: 0, room }));
  await joined;
  return JSON.stringify({ event, id: 1, room, data: {} });
}

/** Asks again with each answer until the time is over; resolves with the number of answers. */
function work(client, { underWay, frame, until }) {
  let open = underWay;
  let count = 0;
  return new Promise((resolve) => {
    client.onText = (bytes) => {
      // Events of the room come too.
      if (!String(bytes).startsWith('{"id":1,')) return;
      count++;
      if (performance.now() < until) client.socket.send(frame);
      else if (--open === 0) resolve(count);
    };
    for (let i = 0; i < underWay; i++) client.socket.send(frame);
  });
}

/** Milliseconds of the processor that Redis has used. */
async function cpuOfRedis(redis) {
  const info = String(await redis.cli('INFO', 'cpu'));
  const used = (kind) => Number(new RegExp(`used_cpu_${kind}:([\\d.]+)`).exec(info)[1]);
  return (used('user') + used('sys')) * 1_000;
}

async function cpuOf(child) {
  child.send('cpu');
  const [{ cpuMs }] = await once(child, 'message');
  return cpuMs;
}

function report({ name, event }, [tested, reference], samples) {
  say(`${name}: ${tested.name} against ${reference.name}`);
  // Redis has no part in requests.
  for (const part of event ? ['node', 'engine', 'sum'] : ['node']) say(lineOf(part, samples));
}

/** A part's cost on both sides, and the ratio of the rounds, each beside its own reference: noise happens to both. */
function lineOf(part, samples) {
  const [tested, reference] = samples.map((costs) => median(costs.map((cost) => cost[part])));
  const ratios = samples[0].map((cost, round) => cost[part] / samples[1][round][part]);
  const [low, middle, high] = [0.25, 0.5, 0.75].map((at) => quantile(ratios, at).toFixed(3));
  const costs = `${tested.toFixed(1)} µs, ${reference.toFixed(1)} µs`;
  return `  ${NAMES[part].padEnd(6)} ${costs}: × ${middle} (${low} to ${high})`;
}
