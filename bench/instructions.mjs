import { Failure, main, say } from '../scripts/lib/project.mjs';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ensureBuilt } from '../scripts/lib/build.mjs';
import { isInPath } from '../scripts/lib/debian.mjs';
import { median } from './shared/quantile.mjs';

/**
 * Counts the instructions of a request, of a commit and of a publication to 20 members, in one process, and fails if one
 * takes 5 % more than the committed figure. V8 interprets, so that the compiler's choices don't count, and valgrind counts, so
 * that neither the machine's speed nor its other work does. Figures belong to a build of Node.
 */
const USAGE = 'npm run bench:instructions -- [--write]';
const FIGURES = 'bench/instructions/figures.json';
const WORKLOAD = fileURLToPath(new URL('instructions/workload.mjs', import.meta.url));
const MOST = 1.05;
const WITHIN_MS = 480_000;
/** The workload ends with it when valgrind can't be spoken to. */
const CANNOT_COUNT = 77;
const DETERMINISTIC = [
  ...['--expose-gc', '--jitless', '--single-threaded', '--predictable', '--hash-seed=1', '--random-seed=1'],
  '--no-warnings',
];
/** Another build of the same version takes other instructions. */
const BUILT = `${statSync(process.execPath).size} bytes`;
const KEY = `Node ${process.versions.node}, ${process.platform} ${process.arch}, ${BUILT}`;

await main(async (args) => {
  const { values } = parseArgs({ args, options: { write: { type: 'boolean', default: false } } });
  if (!isInPath('valgrind') || !isInPath('vgdb')) return skip('valgrind is not installed');
  const all = existsSync(FIGURES) ? JSON.parse(readFileSync(FIGURES, 'utf8')) : {};
  if (!values.write && !all[KEY]) return skip(`${FIGURES} has none for ${KEY}; --write adds them`);
  await ensureBuilt();
  const counted = await count();
  if (!counted) return skip('valgrind runs here, but is not to be told when to count');
  if (!values.write) return compare(counted, all[KEY]);
  writeFileSync(FIGURES, `${JSON.stringify({ ...all, [KEY]: counted }, undefined, 2)}\n`);
  for (const [work, instructions] of Object.entries(counted)) say(`${work}: ${instructions} instructions`);
  return 0;
});

function skip(why) {
  say(`instructions are not counted (SKIPPED): ${why}`);
  return 0;
}

/** Returns the instructions of each work, those of the clients in the process among them; none where valgrind can't count. */
async function count() {
  const { transpile } = await import('./shared/transpile.mjs');
  const { freePort } = await import('../dist/libs/testing/src/network/free-port.js');
  const server = transpile(fileURLToPath(new URL('workloads/wss.ts', import.meta.url)));
  const folder = mkdtempSync(join(tmpdir(), 'wss-instructions-'));
  try {
    const { status, signal, stderr } = runIn(folder, [server, String(await freePort())]);
    if (status === CANNOT_COUNT) return undefined;
    if (status !== 0) throw new Failure(`the workload ended with ${status ?? signal}:\n${stderr}`);
    return medians(readdirSync(folder).flatMap((file) => figureIn(join(folder, file))));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Valgrind puts its files into the folder. */
function runIn(folder, args) {
  const VGDB = join(folder, 'vgdb');
  const options = [
    ...['--tool=callgrind', '--instr-atstart=no', `--callgrind-out-file=${join(folder, 'counts')}`],
    ...['--vgdb=yes', `--vgdb-prefix=${VGDB}`],
  ];
  const { PATH, HOME } = process.env;
  return spawnSync('valgrind', [...options, process.execPath, ...DETERMINISTIC, WORKLOAD, ...args], {
    encoding: 'utf8',
    timeout: WITHIN_MS,
    env: { PATH, HOME, LC_ALL: 'C.UTF-8', VGDB },
  });
}

/** A file of callgrind's that a work asked for: its name and how often it was done are in the trigger. */
function figureIn(path) {
  if (!/counts\.\d+$/.test(path)) return [];
  const text = readFileSync(path, 'utf8');
  const [, work, times] = /^desc: Trigger: .*?(\w+) (\d+)$/m.exec(text) ?? [];
  const [, total] = /^totals: (\d+)$/m.exec(text) ?? [];
  return work ? [[work, Math.round(Number(total) / Number(times))]] : [];
}

/** The middle figure of each work. */
function medians(figures) {
  const all = {};
  for (const [work, instructions] of figures) (all[work] ??= []).push(instructions);
  return Object.fromEntries(Object.entries(all).map(([work, list]) => [work, median(list)]));
}

function compare(counted, committed) {
  const over = [];
  for (const [work, instructions] of Object.entries(counted)) {
    const ratio = instructions / committed[work];
    say(
      `${work}: ${instructions} instructions, ${((ratio - 1) * 100).toFixed(1)} % against ${committed[work]}`,
    );
    if (!(ratio <= MOST)) over.push(work);
  }
  if (over.length === 0) return 0;
  throw new Failure(
    `${over.join(', ')}: more than 5 % above the committed figures.`,
    `find what costs more; if it has to, renew the figures by "${USAGE.replace('[--write]', '--write')}" and say why.`,
  );
}
