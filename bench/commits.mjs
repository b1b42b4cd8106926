import { main, say } from '../scripts/lib/project.mjs';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { ensureBuilt } from '../scripts/lib/build.mjs';
import { ensureProgram } from '../scripts/lib/debian.mjs';
import { medianOf } from './shared/quantile.mjs';

/**
 * Compares commits with the plainest command of Redis (INCR), and with the textbook loop (WATCH/MULTI),
 * in one run. Every workload is a closed loop; rounds are interleaved, the figures are medians.
 *
 * One writer is compared with two INCRs: the driver as it comes, and with its auto-pipelining, which waits a moment
 * with each command for more of them. The latter is the one of published figures for scripts against INCR.
 */
const WORKLOADS = [
  { name: 'INCR, 1 writer', kind: 'incr', writers: 1 },
  { name: 'INCR, auto-pipelining, 1 writer', kind: 'incr', writers: 1, autoPipelining: true },
  { name: 'RoomStore.commit, 1 writer', kind: 'commit', writers: 1 },
  { name: 'update, 1 writer', kind: 'update', writers: 1 },
  { name: 'INCR, 10 writers', kind: 'incr', writers: 10 },
  { name: 'update, one room, 10 writers', kind: 'update', writers: 10 },
  { name: 'INCR, 100 writers', kind: 'incr', writers: 100 },
  { name: 'RoomStore.commit, 100 rooms, 100 writers', kind: 'commit', writers: 100, rooms: 100 },
  { name: 'update, 100 rooms, 100 writers', kind: 'update', writers: 100, rooms: 100 },
  { name: 'WATCH/MULTI, one document, 100 writers', kind: 'watch', writers: 100 },
  { name: 'update, one room, 100 writers, 1 node', kind: 'update', writers: 100 },
  { name: 'update, one room, 100 writers, 2 nodes', kind: 'update', writers: 50, nodes: 2 },
  { name: 'update, one room, 100 writers, 4 nodes', kind: 'update', writers: 25, nodes: 2, processes: 2 },
  { name: 'update, one room, 100 writers, 10 nodes', kind: 'update', writers: 10, nodes: 5, processes: 2 },
  { name: 'update, one room, 100 writers, 10 processes', kind: 'update', writers: 10, processes: 10 },
];

let runs = 0;

await main(async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      only: { type: 'string', default: '' },
    },
  });
  const workloads = chosen(values.only);
  await ensureProgram('redis-server');
  await ensureBuilt();
  const { RedisServer } = await import('../dist/libs/testing/src/servers/redis-server.js');
  const server = await RedisServer.start();
  const workers = Array.from({ length: 10 }, () => fork(new URL('commits/worker.mjs', import.meta.url)));
  try {
    const samples = new Map(workloads.map((workload) => [workload, []]));
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const workload of round % 2 === 0 ? workloads : [...workloads].reverse()) {
        samples
          .get(workload)
          .push(await measure(workload, { server, workers, seconds: Number(values.seconds) }));
      }
    }
    report(samples);
  } finally {
    for (const worker of workers) worker.kill('SIGKILL');
    await server.stop();
  }
});

/** The workloads whose names match, and those that they are compared with. */
function chosen(pattern) {
  const named = WORKLOADS.filter(({ name }) => new RegExp(pattern).test(name));
  const references = named.flatMap(referencesOf);
  return WORKLOADS.filter((workload) => named.includes(workload) || references.includes(workload.name));
}

async function measure(choice, { server, workers, seconds }) {
  const used = workers.slice(0, choice.processes ?? 1);
  const workload = { rooms: 1, nodes: 1, ...choice, seconds, url: server.url, run: `r${++runs}` };
  for (const worker of used) worker.send(workload);
  await Promise.all(used.map((worker) => once(worker, 'message')));
  await server.cli('CONFIG', 'RESETSTAT');
  const results = used.map((worker) => once(worker, 'message'));
  for (const worker of used) worker.send('go');
  const perNode = (await Promise.all(results)).flatMap(([nodesOfWorker]) => nodesOfWorker);
  const calls = callsOf(String(await server.cli('INFO', 'commandstats')));
  await server.cli('FLUSHALL');
  const done = perNode.reduce((sum, node) => sum + node.done, 0);
  return {
    rate: done / seconds,
    p99: Math.max(...perNode.map(({ p99 }) => p99)),
    fairness: Math.min(...perNode.map((node) => node.done)) / Math.max(...perNode.map((node) => node.done)),
    roundTrips: calls / done,
  };
}

/** Scripts that were called; calls inside of them are not counted. */
function callsOf(stats) {
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

function report(samples) {
  const of = (name, key) => medianOf(samples.get(WORKLOADS.find((workload) => workload.name === name)), key);
  const rows = [...samples].map(([workload, runsOf]) => {
    const references = workload.kind === 'incr' || workload.kind === 'watch' ? [] : referencesOf(workload);
    return [
      workload.name,
      {
        'per second': Math.round(medianOf(runsOf, 'rate')),
        ratio: references
          .map((name) => `${(medianOf(runsOf, 'rate') / of(name, 'rate')).toFixed(2)} × ${name}`)
          .join(' · '),
        'p99, ms': medianOf(runsOf, 'p99').toFixed(1),
        'slowest / fastest node': medianOf(runsOf, 'fairness').toFixed(2),
        'scripts per command':
          workload.kind === 'incr' || workload.kind === 'watch'
            ? ''
            : medianOf(runsOf, 'roundTrips').toFixed(2),
      },
    ];
  });
  console.table(Object.fromEntries(rows));
  say(`medians of ${[...samples.values()][0].length} rounds`);
}

function referencesOf({ writers, rooms = 1, nodes = 1, processes = 1 }) {
  if (rooms === 1 && writers * nodes * processes === 100) return ['WATCH/MULTI, one document, 100 writers'];
  if (writers === 1) return ['INCR, 1 writer', 'INCR, auto-pipelining, 1 writer'];
  return [`INCR, ${writers} writers`];
}
