import '../scripts/lib/project.mjs';
import { setTimeout as delay } from 'node:timers/promises';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { main, say } from '../scripts/lib/project.mjs';
import { ensureBuilt } from '../scripts/lib/build.mjs';
import { Client } from './presence/client.mjs';
import { measureDeath } from './presence/deaths.mjs';
import { medianOf } from './shared/quantile.mjs';

/**
 * Measures the cost of presence in a big room: latency of its messages under churn, against the same room without
 * presence; and how long it takes until the users of a node that was killed are announced as gone.
 */
const KINDS = ['plain', 'shown'];
const AT_ONCE = 200;
/** Each joins and leaves in turn; half of them are in the room. */
const CHURNERS = 200;
const CHURN_PER_SECOND = 100;
const MESSAGES_PER_SECOND = 2;
/** A room that was quiet for this long has announced everybody. */
const QUIET_MS = 4_000;

await main(async (args) => {
  const number = (value) => ({ type: 'string', default: value });
  const options = {
    members: number('10000'),
    seconds: number('10'),
    rounds: number('3'),
    deaths: number('3'),
  };
  const { values } = parseArgs({ args, options });
  const [members, seconds, rounds, deaths] = Object.keys(options).map((name) => Number(values[name]));
  await ensureBuilt();
  const { GatewayCluster } = await import('../dist/libs/testing/src/index.js');
  const entry = fileURLToPath(new URL('presence/node.mjs', import.meta.url));
  const cluster = await GatewayCluster.start({ nodes: 2, entry });
  try {
    const urls = cluster.nodes.map(({ url }) => url);
    say(`${members} members on two nodes, ${CHURN_PER_SECOND} joins and as many leaves a second`);
    const clients = await open(members, urls, 'u');
    const churners = await open(CHURNERS, urls, 'c');
    const samples = { plain: [], shown: [] };
    for (let round = 0; round < rounds; round++) {
      for (const kind of KINDS) {
        const room = `${kind}:${round}`;
        samples[kind].push(await measure({ kind, room, clients, churners, seconds }));
      }
    }
    report(samples);
    for (const { socket } of [...clients, ...churners]) socket.terminate();
    const times = [];
    for (let i = 0; i < deaths; i++) times.push(await measureDeath(cluster, `shown:death${i}`));
    if (deaths > 0) {
      say(`a node killed: all leaves told, once each, after ${times.map((t) => t.toFixed(1)).join(', ')} s`);
    }
  } finally {
    await cluster.stop();
  }
});

async function measure({ kind, room, clients, churners, seconds }) {
  await inGroups(clients, (client) => client.ask('$join', room));
  await untilQuiet(clients[0]);
  for (const client of clients) client.latencies = [];
  const stop = new AbortController();
  const churning = churn(churners, room, stop.signal);
  const announced = clients[0].announcements;
  for (let i = 0; i < seconds * MESSAGES_PER_SECOND; i++) {
    await Promise.all([clients[i].ask(`${kind}.say`, room), delay(1_000 / MESSAGES_PER_SECOND)]);
  }
  stop.abort();
  await churning;
  await untilQuiet(clients[0]);
  const latencies = clients.flatMap((client) => client.latencies).sort((a, b) => a - b);
  const at = (part) => latencies[Math.floor((latencies.length - 1) * part)];
  const result = { p50: at(0.5), p99: at(0.99), announcements: clients[0].announcements - announced };
  const load = loadavg()[0].toFixed(1);
  say(
    `${room}: p50 ${result.p50} ms, p99 ${result.p99} ms, ${latencies.length} deliveries; load average ${load}`,
  );
  await inGroups(clients, (client) => client.ask('$leave', room));
  return { ...result, deliveries: latencies.length };
}

/** The first one in the room leaves, the next one joins, all the time. */
async function churn(churners, room, signal) {
  const half = churners.length / 2;
  const pending = [];
  for (let i = 0; !signal.aborted; i++) {
    pending.push(churners[i % churners.length].ask('$join', room));
    pending.push(churners[(i + half) % churners.length].ask('$leave', room));
    await delay(1_000 / CHURN_PER_SECOND);
  }
  await Promise.all(pending);
  await Promise.all(churners.map((client) => client.ask('$leave', room)));
}

async function untilQuiet(client) {
  while (performance.now() - client.heardAt < QUIET_MS) await delay(100);
}

async function inGroups(clients, work) {
  for (let from = 0; from < clients.length; from += AT_ONCE) {
    await Promise.all(clients.slice(from, from + AT_ONCE).map(work));
  }
}

async function open(count, urls, prefix) {
  const clients = Array.from({ length: count }, (_, i) => new Client(`${urls[i % 2]}?user=${prefix}${i}`));
  await inGroups(clients, (client) => client.open());
  return clients;
}

function report(samples) {
  const row = (kind) => ({
    'p50, ms': medianOf(samples[kind], 'p50'),
    'p99, ms': medianOf(samples[kind], 'p99'),
    deliveries: medianOf(samples[kind], 'deliveries'),
    announcements: medianOf(samples[kind], 'announcements'),
  });
  console.table({ 'without presence': row('plain'), 'with presence': row('shown') });
  say(
    `p99 with presence / without: ${(medianOf(samples.shown, 'p99') / medianOf(samples.plain, 'p99')).toFixed(2)}`,
  );
}
