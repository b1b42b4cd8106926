import { Failure, main, say } from '../scripts/lib/project.mjs';
import { existsSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ensureBuilt } from '../scripts/lib/build.mjs';
import { ensureProgram } from '../scripts/lib/debian.mjs';
import { PLANS } from './workloads/plans.mjs';

/**
 * Measures what a message costs a server in processor time: ours against raw `ws`, other servers and other clusters, in one
 * run. Rounds are interleaved and each second one goes the other way; the figures are medians.
 */
const USAGE = `npm run bench -- [${Object.keys(PLANS).join('|')}] [--rounds 3] [--ms 3000] [--warm 4000] [--quiet 30] [--servers 'raw ws,wss'] [--row 'depth 16'] [--out FILE]`;
/** The time of a run beside its warm-up and its window, ms. */
const AROUND_MS = 6_000;

await main(async (args) => {
  const choice = choiceOf(args);
  if (!existsSync('/proc/self/stat')) {
    throw new Failure('the processor time of servers is read from /proc.', 'run this on Linux.');
  }
  await ensureProgram('redis-server');
  await ensureBuilt();
  const { SERVERS } = await import('./workloads/peers.mjs');
  const chosen = SERVERS.filter(({ name }) => choice.servers === undefined || choice.servers.includes(name));
  if (chosen.length === 0) throw new Failure('no such server.', SERVERS.map(({ name }) => name).join(', '));
  const { ensurePeers } = await import('./workloads/installing.mjs');
  if (chosen.some(({ name }) => !name.startsWith('wss'))) await ensurePeers();
  const servers = available(chosen);
  const runs = runsOf(choice, servers);
  tellLength(runs, choice);
  const samples = await measure(runs, choice);
  return report(runs, servers, { samples, ...choice });
});

function choiceOf(args) {
  const text = (value) => ({ type: 'string', default: value });
  const options = {
    rounds: text('3'),
    ms: text('3000'),
    warm: text('4000'),
    quiet: text('30'),
    servers: { type: 'string' },
    row: text(''),
    out: { type: 'string' },
  };
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const unknown = positionals.find((name) => !PLANS[name]);
  if (unknown !== undefined) throw new Failure(`"${unknown}" is not a workload.`, USAGE);
  const [rounds, ms, warm, quiet] = ['rounds', 'ms', 'warm', 'quiet'].map((name) => {
    const number = Number(values[name]);
    if (Number.isInteger(number) && number >= (name === 'quiet' ? 0 : 1)) return number;
    throw new Failure(`"${values[name]}" is not a number of ${name}.`, USAGE);
  });
  const all = Object.keys(PLANS).filter((name) => name !== 'check');
  const workloads = positionals.length > 0 ? positionals : all;
  const isCheck = workloads.includes('check');
  return {
    ...{ workloads, ms, warm, quiet: isCheck ? 0 : quiet, rounds: isCheck ? 1 : rounds },
    ...{ servers: values.servers?.split(',').map((name) => name.trim()), row: values.row, out: values.out },
  };
}

/** Those that can be started here; of the others it is said why not. */
function available(servers) {
  return servers.filter(({ name, command }) => {
    try {
      return command();
    } catch (error) {
      say(`left out: ${name}: ${error.message}`);
      return false;
    }
  });
}

/** One run of a round: a row of a workload and a server. */
function runsOf({ workloads, row: pattern }, servers) {
  return workloads.flatMap((workload) =>
    PLANS[workload].rows
      .filter(({ name, also = [] }) =>
        [name, ...also.map((each) => each.name)].some((each) => each.includes(pattern)),
      )
      .flatMap((row) =>
        servers
          .filter(({ only }) => !only || only.includes(workload))
          .map((server) => ({ workload, row, server, nodes: PLANS[workload].nodes })),
      ),
  );
}

function tellLength(runs, { rounds, ms, warm }) {
  const minutes = Math.ceil((runs.length * rounds * (ms + warm + AROUND_MS)) / 60_000);
  say(`${runs.length} runs in ${rounds} rounds: about ${minutes} minutes on a quiet machine`);
}

/** The samples of each run. */
async function measure(runs, { rounds, ms, warm, quiet }) {
  const { runOnce, untilQuiet } = await import('./workloads/running.mjs');
  const samples = new Map(runs.map((run) => [run, []]));
  for (let round = 0; round < rounds; round++) {
    for (const run of round % 2 === 0 ? runs : [...runs].reverse()) {
      await untilQuiet(quiet);
      const { workload, row, server, nodes } = run;
      const plan = { workload, nodes, params: row.params, warmMs: warm, measureMs: ms };
      const sample = await runOnce(server, plan);
      samples.get(run).push(sample);
      say(`round ${round + 1}, ${row.name}, ${server.name}: ${describe(sample, row)}`);
    }
  }
  return samples;
}

function describe({ failure, perSecond, foreign = 0, generator, ...sample }, row) {
  if (failure) return failure;
  const figures = [row, ...(row.also ?? [])].map(
    ({ figure, unit }) => `${Number(sample[figure]?.toPrecision(4))} ${unit}`,
  );
  const pace =
    perSecond === undefined ? [] : [`${Math.round(perSecond)}/s`, `generator ${generator.toFixed(2)}`];
  return [...figures, ...pace, `others ${foreign.toFixed(2)} cores`].join(', ');
}

async function report(runs, servers, { samples, workloads, rounds, out }) {
  const { remarksOf, tableOf } = await import('./workloads/report.mjs');
  const { machineLines } = await import('./workloads/machine.mjs');
  const rows = [...new Set(runs.map(({ row }) => row))].flatMap((row) => [row, ...(row.also ?? [])]);
  const samplesOf = (row, server) =>
    runs
      .filter((run) => run.server === server && (run.row === row || run.row.also?.includes(row)))
      .flatMap((run) => samples.get(run));
  const text = [
    ...machineLines(),
    `medians of ${rounds} rounds; processor time of servers per answer or delivery × raw ws, in brackets µs`,
    ...workloads.map((name) => `${name}: ${PLANS[name].title}`),
    '',
    ...tableOf(rows, servers, samplesOf),
    '',
    ...remarksOf(
      rows.filter((row) => row.params),
      servers,
      samplesOf,
    ).map((remark) => `- ${remark}`),
  ].join('\n');
  process.stdout.write(`\n${text}\n`);
  if (out !== undefined) writeFileSync(out, `${text}\n`);
  return [...samples.values()].flat().some(({ failure }) => failure) ? 1 : 0;
}
