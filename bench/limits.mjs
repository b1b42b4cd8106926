import { fork } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { main, say } from '../scripts/lib/project.mjs';
import { ensureBuilt } from '../scripts/lib/build.mjs';
import { RawSocket } from './shared/raw-socket.mjs';

/**
 * The cost of limits for requests of which none is near a limit: the time of the processor that a node needs for one,
 * with the limits that it has by default, against one without limits. `--against <folder>` has the build of another
 * release as the reference. Rounds are interleaved, and the figures are medians.
 */
const DEFAULTS = { name: 'default limits', limits: {} };
const NONE = { name: 'no limits', limits: { framesPerSecond: false, bytesPerSecond: false } };

/** Clients that ask one thing at a time, and clients that ask several at once; none of them comes near its share. */
const LOADS = [
  { name: 'one request at a time', clients: 100, underWay: 1, text: 'hello' },
  { name: '20 requests at a time', clients: 100, underWay: 20, text: 'hello' },
  { name: 'requests of 4 kB', clients: 100, underWay: 1, text: 'x'.repeat(4_000) },
];

await main(async (args) => {
  const options = {
    rounds: { type: 'string', default: '15' },
    seconds: { type: 'string', default: '1' },
    against: { type: 'string' },
    only: { type: 'string', default: '' },
  };
  const { values } = parseArgs({ args, options });
  await ensureBuilt();
  const own = pathToFileURL(`${resolve('dist')}/`).href;
  const other = values.against && pathToFileURL(`${resolve(values.against)}/dist/`).href;
  const servers = [
    await start({ ...DEFAULTS, root: own }),
    await start(other ? { name: 'the other build', limits: 'none', root: other } : { ...NONE, root: own }),
  ];
  try {
    const chosen = LOADS.filter(({ name }) => name.includes(values.only));
    for (const load of chosen) report(load, servers, await measure(load, servers, values));
  } finally {
    for (const { child } of servers) child.kill('SIGKILL');
  }
});

async function start({ name, limits, root }) {
  const child = fork(new URL('limits/gateway.mjs', import.meta.url), [
    root,
    limits === 'none' ? limits : JSON.stringify(limits),
  ]);
  const [{ port }] = await once(child, 'message');
  return { name, child, url: `ws://127.0.0.1:${port}/` };
}

/** Returns the samples of each server: microseconds of the processor per request. */
async function measure(load, servers, { rounds, seconds }) {
  const samples = servers.map(() => []);
  // The first round warms them up.
  for (let round = 0; round <= Number(rounds); round++) {
    const order = [...servers.keys()];
    for (const index of round % 2 === 0 ? order : order.reverse()) {
      const cost = await costOf(load, servers[index], Number(seconds) * 1_000);
      if (round > 0) samples[index].push(cost);
    }
  }
  return samples;
}

async function costOf({ clients, underWay, text }, { child, url }, ms) {
  const sockets = await Promise.all(Array.from({ length: clients }, () => connected(url)));
  await cpuOf(child);
  const until = performance.now() + ms;
  const counts = sockets.map((socket) => work(socket, { underWay, text, until }));
  const total = (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  const cpuMs = await cpuOf(child);
  for (const { socket } of sockets) socket.terminate();
  return (cpuMs * 1_000) / total;
}

function connected(url) {
  return new Promise((resolve, reject) => {
    const client = { onText: () => undefined };
    client.socket = new RawSocket(url, {
      onOpen: () => resolve(client),
      onText: () => client.onText(),
      onEnd: (reason) => reject(new Error(reason)),
    });
  });
}

/** Asks again with each answer until the time is over; resolves with the number of answers. */
function work(client, { underWay, text, until }) {
  const frame = JSON.stringify({ event: 'echo.say', id: 1, data: { text } });
  let open = underWay;
  let count = 0;
  return new Promise((resolve) => {
    client.onText = () => {
      count++;
      if (performance.now() < until) client.socket.send(frame);
      else if (--open === 0) resolve(count);
    };
    for (let i = 0; i < underWay; i++) client.socket.send(frame);
  });
}

async function cpuOf(child) {
  child.send('cpu');
  const [{ cpuMs }] = await once(child, 'message');
  return cpuMs;
}

function report({ name }, servers, samples) {
  const [tested, reference] = samples.map(median);
  // Of the rounds, each beside its own reference: what the machine does meanwhile happens to both.
  const ratio = median(samples[0].map((cost, round) => cost / samples[1][round]));
  say(
    `${name.padEnd(24)} ${servers[0].name} ${tested.toFixed(1)} µs, ${servers[1].name} ${reference.toFixed(1)} µs: × ${ratio.toFixed(3)}`,
  );
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
