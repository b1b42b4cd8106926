import '../scripts/lib/project.mjs';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import WebSocket from 'ws';
import { Failure, main, say } from '../scripts/lib/project.mjs';
import { ensureBuilt } from '../scripts/lib/build.mjs';

/**
 * A node is killed and all of its clients come back at once, on two others, while events go on: how long until all
 * are back and have missed nothing, and what that costs Redis. Where a process may not have that many files, two
 * nodes are killed. The full form is `--clients 20000`.
 */
const USAGE = 'npm run bench:reconnect -- --clients 2000 --rooms 20 --events 50';
/** Clients per process, each with an address of its own: one address has about 28,000 ports. */
const PER_PROCESS = 5_000;
/** Clients of one node that is to be killed, under the usual limit of 20,000 files. */
const PER_NODE = 19_500;
const SURVIVORS = 2;
/** The milestones that are timed, in this order. */
const MILESTONES = [
  ['back', 0.5],
  ['back', 1],
  ['rejoined', 1],
  ['complete', 1],
];
const WITHIN_MS = 120_000;

await main(async (args) => {
  const { clients, rooms, events } = numbersOf(args);
  await ensureBuilt();
  const { GatewayCluster } = await import('../dist/libs/testing/src/index.js');
  const cluster = await GatewayCluster.start({ nodes: SURVIVORS + Math.ceil(clients / PER_NODE) });
  const doomed = cluster.nodes.slice(SURVIVORS);
  const survivors = cluster.nodes.slice(0, SURVIVORS).map(({ url }) => url);
  const fleet = startFleet({ urls: doomed.map(({ url }) => url), clients, rooms, target: 2 * events });
  try {
    await fleet.until('joined', clients);
    say(
      `${clients} clients of ${doomed.length} node(s), ${rooms} rooms; load average ${loadavg()[0].toFixed(1)}`,
    );
    const writer = await connect(survivors[0], rooms);
    await writer.send(events);
    await cluster.redis.cli('CONFIG', 'RESETSTAT');
    const cpu = await redisCpu(cluster.redis);
    for (const { process } of fleet.parts) process.send({ survivors });
    const killedAt = performance.now();
    const seconds = () => (performance.now() - killedAt) / 1_000;
    await Promise.all(doomed.map((node) => node.kill()));
    const sending = writer.send(events);
    const times = {};
    for (const [name, part] of MILESTONES) {
      await fleet.until(name, Math.ceil(clients * part));
      times[`${part * 100} % ${name}`] = `${seconds().toFixed(1)} s`;
    }
    await sending;
    const redisSeconds = (await redisCpu(cluster.redis)) - cpu;
    report({ ...fleet.counts(), clients, rooms, times, calls: await callsOf(cluster.redis), redisSeconds });
    writer.close();
    return fleet.counts().gaps + fleet.counts().resets === 0 ? 0 : 1;
  } finally {
    for (const { process } of fleet.parts) process.kill('SIGKILL');
    await cluster.stop();
  }
});

function numbersOf(args) {
  const options = { clients: '2000', rooms: '20', events: '50' };
  const { values } = parseArgs({
    args,
    options: Object.fromEntries(Object.entries(options).map(([k, v]) => [k, { type: 'string', default: v }])),
  });
  const numbers = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value)]));
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isInteger(value) || value < 1)
      throw new Failure(`"${values[name]}" is not a number of ${name}.`, USAGE);
  }
  return numbers;
}

function startFleet({ urls, clients, rooms, target }) {
  const parts = [];
  for (let from = 0; from < clients; from += PER_PROCESS) {
    const numbers = Array.from({ length: Math.min(PER_PROCESS, clients - from) }, (_, i) => from + i);
    const address = `127.0.0.${2 + parts.length}`;
    const BENCH = JSON.stringify({ urls, clients: numbers, rooms, address, target });
    const process_ = fork(new URL('reconnect/clients.mjs', import.meta.url), {
      env: { PATH: process.env.PATH, BENCH },
    });
    const part = { process: process_, counts: {} };
    process_.on('message', (counts) => (part.counts = counts));
    parts.push(part);
  }
  const counts = () => {
    const sums = {
      joined: 0,
      back: 0,
      resumed: 0,
      rejoined: 0,
      complete: 0,
      gaps: 0,
      resets: 0,
      failures: {},
    };
    for (const { counts: part } of parts) {
      for (const name of Object.keys(sums)) if (name !== 'failures') sums[name] += part[name] ?? 0;
      for (const [how, count] of Object.entries(part.failures ?? {})) {
        sums.failures[how] = (sums.failures[how] ?? 0) + count;
      }
    }
    return sums;
  };
  const until = async (name, wanted) => {
    const deadline = performance.now() + WITHIN_MS;
    while (counts()[name] < wanted) {
      if (performance.now() > deadline) {
        throw new Failure(
          `${JSON.stringify(counts())} after ${WITHIN_MS} ms; ${wanted} ${name} were expected`,
          USAGE,
        );
      }
      await delay(20);
    }
  };
  return { parts, counts, until };
}

/** Writes to all rooms; each event is answered before the next of its room. */
async function connect(url, rooms) {
  const socket = new WebSocket(`${url}?user=writer`);
  await once(socket, 'open');
  const replies = new Map();
  socket.on('message', (bytes) => {
    const { id } = JSON.parse(String(bytes));
    replies.get(id)?.();
  });
  let ids = 0;
  const ask = (event, room, data) =>
    new Promise((resolve) => {
      const id = ++ids;
      replies.set(id, resolve);
      socket.send(JSON.stringify({ event, room, id, data }));
    });
  const all = Array.from({ length: rooms }, (_, i) => `chat:${i}`);
  for (const room of all) await ask('$join', room, {});
  return {
    async send(events) {
      for (let i = 0; i < events; i++) {
        await Promise.all(all.map((room) => ask('chat.send', room, { text: 'x'.repeat(100) })));
      }
    },
    close: () => socket.terminate(),
  };
}

/** Calls that Redis has served since the node was killed, those inside scripts included. */
async function callsOf(redis) {
  const info = String(await redis.cli('INFO', 'commandstats'));
  return Object.fromEntries(
    [...info.matchAll(/cmdstat_(\w+):calls=(\d+)/g)].map(([, name, calls]) => [name, Number(calls)]),
  );
}

async function redisCpu(redis) {
  const info = String(await redis.cli('INFO', 'cpu'));
  return Number(/used_cpu_user:([\d.]+)/.exec(info)[1]) + Number(/used_cpu_sys:([\d.]+)/.exec(info)[1]);
}

function report({ clients, rooms, times, resumed, gaps, resets, failures, calls, redisSeconds }) {
  const reads = (calls.xrange ?? 0) + (calls.xrevrange ?? 0);
  say(`after the kill: ${JSON.stringify(times)}`);
  say(
    `${resumed} sessions resumed, ${gaps} gaps, ${resets} resets, tried again: ${JSON.stringify(failures)}`,
  );
  say(
    `reads of a log by Redis: ${reads}, which is ${(reads / (rooms * SURVIVORS)).toFixed(2)} per room and node`,
  );
  const perClient = Object.entries(calls).map(([name, count]) => [
    name,
    Number((count / clients).toFixed(2)),
  ]);
  const most = perClient.filter(([, count]) => count >= 0.05).sort(([, a], [, b]) => b - a);
  say(`Redis was busy for ${redisSeconds.toFixed(1)} s; calls per client, those in scripts included:`);
  say(JSON.stringify(Object.fromEntries(most)));
  say(`load average ${loadavg()[0].toFixed(1)}`);
}
