import '../scripts/lib/project.mjs';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import WebSocket from 'ws';
import { Failure, main, say } from '../scripts/lib/project.mjs';
import { ensureBuilt } from '../scripts/lib/build.mjs';

/**
 * A node is killed and all of its clients come back at once, on two others, while events go on: how long until all
 * are back and have missed nothing, and what that costs Redis. The full form is `--clients 20000`.
 */
const USAGE = 'npm run bench:reconnect -- --clients 2000 --rooms 20 --events 50';
/** Clients per process, each with an address of its own: one address has about 28,000 ports. */
const PER_PROCESS = 5_000;
const WITHIN_MS = 240_000;

await main(async (args) => {
  const { clients, rooms, events } = numbersOf(args);
  await ensureBuilt();
  const { GatewayCluster } = await import('../dist/libs/testing/src/index.js');
  const cluster = await GatewayCluster.start({ nodes: 3 });
  const doomed = cluster.nodes[2];
  const survivors = cluster.nodes.slice(0, 2).map(({ url }) => url);
  const fleet = startFleet({ url: doomed.url, clients, rooms, target: 2 * events });
  try {
    await fleet.until('joined', clients);
    say(`${clients} clients of one node, ${rooms} rooms`);
    const writer = await connect(survivors[0], rooms);
    await writer.send(events);
    await cluster.redis.cli('CONFIG', 'RESETSTAT');
    for (const { process } of fleet.parts) process.send({ survivors });
    const killedAt = performance.now();
    await doomed.kill();
    const sending = writer.send(events);
    await fleet.until('back', clients);
    const backMs = performance.now() - killedAt;
    await sending;
    await fleet.until('complete', clients);
    const completeMs = performance.now() - killedAt;
    report({ ...fleet.counts(), clients, rooms, backMs, completeMs, calls: await callsOf(cluster.redis) });
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
      throw new Failure(`"${values[name]}" is no number of ${name}.`, USAGE);
  }
  return numbers;
}

function startFleet({ url, clients, rooms, target }) {
  const parts = [];
  for (let from = 0; from < clients; from += PER_PROCESS) {
    const numbers = Array.from({ length: Math.min(PER_PROCESS, clients - from) }, (_, i) => from + i);
    const address = `127.0.0.${2 + parts.length}`;
    const BENCH = JSON.stringify({ urls: [url], clients: numbers, rooms, address, target });
    const process_ = fork(new URL('reconnect/clients.mjs', import.meta.url), {
      env: { PATH: process.env.PATH, BENCH },
    });
    const part = { process: process_, counts: {} };
    process_.on('message', (counts) => (part.counts = counts));
    parts.push(part);
  }
  const counts = () => {
    const sums = { joined: 0, back: 0, resumed: 0, complete: 0, gaps: 0, resets: 0, retries: 0 };
    for (const part of parts) for (const name of Object.keys(sums)) sums[name] += part.counts[name] ?? 0;
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

function report({ clients, rooms, backMs, completeMs, resumed, gaps, resets, retries, calls }) {
  const reads = (calls.xrange ?? 0) + (calls.xrevrange ?? 0);
  say(
    `all ${clients} are back after ${(backMs / 1_000).toFixed(2)} s (${resumed} sessions resumed, ${retries} retries)`,
  );
  say(`all have every event after ${(completeMs / 1_000).toFixed(2)} s: ${gaps} gaps, ${resets} resets`);
  say(`reads of a log by Redis: ${reads}, which is ${(reads / (rooms * 2)).toFixed(2)} per room and node`);
  say(`other calls: ${JSON.stringify(calls)}`);
}
