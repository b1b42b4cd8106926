import { Failure, main, say } from '../scripts/lib/project.mjs';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ensureBuilt } from '../scripts/lib/build.mjs';
import { ensureProgram } from '../scripts/lib/debian.mjs';
import { mostFiles } from './load/usage.mjs';
import { pointsOf } from './scale/points.mjs';

/**
 * Shows how the cost of a message grows with nodes, rooms and members, fits the capacity model to it, and tells what a
 * million and ten million connections need. All nodes share one core, so it is their processor time that tells.
 */
const USAGE =
  "npm run bench:scale -- [--ms 2000] [--warm 3000] [--axis nodes|rooms|members|'at rest'] [--write]";
const DOCUMENT = 'docs/scaling.md';
const FIGURES = 'bench/scale/figures.json';
/** The time of a point beside its warm-up and its window, ms. */
const AROUND_MS = 10_000;

await main(async (args) => {
  const { ms, warm, axis, isWritten } = choiceOf(args);
  if (!existsSync('/proc/self/schedstat')) {
    throw new Failure('the processor time of nodes is read from /proc.', 'run this on Linux.');
  }
  await ensureProgram('redis-server');
  await ensureBuilt();
  const points = pointsOf(mostFiles()).filter((point) => axis === undefined || point.axis === axis);
  if (points.length === 0) throw new Failure(`there is no axis "${axis}".`, USAGE);
  say(
    `${points.length} points: about ${Math.ceil((points.length * (ms + warm + AROUND_MS)) / 60_000)} minutes`,
  );
  const measured = [];
  for (const point of points) measured.push({ ...point, ...(await measure(point, { ms, warm })) });
  if (axis !== undefined) return 0;
  return report(measured, isWritten);
});

function choiceOf(args) {
  const options = {
    ms: { type: 'string', default: '2000' },
    warm: { type: 'string', default: '3000' },
    axis: { type: 'string' },
    write: { type: 'boolean', default: false },
  };
  const { values } = parseArgs({ args, options });
  const [ms, warm] = [values.ms, values.warm].map(Number);
  if (!(ms >= 1 && warm >= 1)) throw new Failure('--ms and --warm are numbers of milliseconds.', USAGE);
  return { ms, warm, axis: values.axis, isWritten: values.write };
}

async function measure({ axis, at, load, nodes, params }, { ms, warm }) {
  const { SERVERS } = await import('./workloads/peers.mjs');
  const { runOnce, untilQuiet } = await import('./workloads/running.mjs');
  const server = SERVERS.find(({ name }) => name === 'wss');
  await untilQuiet(5);
  // Nodes share a core, so many of them take longer to become warm.
  const warmMs = warm * Math.max(1, nodes / 2);
  const plan = { workload: load, nodes, params, withRedis: true, warmMs, measureMs: ms };
  const sample = await runOnce(server, plan);
  if (sample.failure) throw new Failure(`${axis} ${at}: ${sample.failure}`);
  say(`${axis} ${at}: ${describe(sample)}`);
  return sample;
}

function describe({
  perSecond,
  cpuUs,
  redisUs,
  members,
  foreign,
  missing,
  nodeCores,
  redisCores,
  kibibytes,
}) {
  if (perSecond === undefined) {
    const [ofNode, ofRedis] = [nodeCores, redisCores].map((cores) => (cores * 100).toFixed(2));
    return `a node ${ofNode} %, Redis ${ofRedis} % of a core; ${kibibytes.toFixed(1)} KiB per client`;
  }
  const costs = `${cpuUs.toFixed(2)} µs per delivery, Redis ${(redisUs * members).toFixed(1)} µs per publication`;
  const lost = missing > 0 ? `; ${missing} deliveries are missing` : '';
  return `${Math.round(perSecond)} deliveries/s, ${costs}; others ${foreign.toFixed(2)} cores${lost}`;
}

/** Prints the sections, and with `--write` puts the figures where the document and its test take them from. */
async function report(points, isWritten) {
  const { costsOf } = await import('./scale/model.mjs');
  const { sectionsOf, withSections } = await import('./scale/sections.mjs');
  const { machineLines } = await import('./workloads/machine.mjs');
  const figures = { about: machineLines(), points, costs: costsOf(points) };
  const sections = sectionsOf(figures);
  process.stdout.write(`\n${Object.values(sections).join('\n\n')}\n`);
  if (!isWritten) return;
  writeFileSync(FIGURES, `${JSON.stringify(figures, undefined, 2)}\n`);
  writeFileSync(DOCUMENT, withSections(readFileSync(DOCUMENT, 'utf8'), sections));
  say(`${FIGURES} and ${DOCUMENT} have these figures`);
}
