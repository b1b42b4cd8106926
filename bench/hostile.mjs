import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { main, say } from '../scripts/lib/project.mjs';
import { ensureBuilt } from '../scripts/lib/build.mjs';
import { ensureProgram } from '../scripts/lib/debian.mjs';
import { Witness } from './hostile/witness.mjs';

/**
 * How long an honest client waits for its answers while another one floods the node, against the same client with
 * nobody beside it, before and after in the same run; the events that it misses, and the memory of the node.
 */
const MEBIBYTE = 1_024;

await main(async (args) => {
  const options = { seconds: { type: 'string', default: '4' }, only: { type: 'string', default: '' } };
  const { values } = parseArgs({ args, options });
  await ensureProgram('redis-server');
  await ensureBuilt();
  const { GatewayCluster } = await import('../dist/libs/testing/src/index.js');
  const cluster = await GatewayCluster.start({ nodes: 1 });
  const flooder = fork(new URL('hostile/flooder.mjs', import.meta.url));
  try {
    const [{ kinds }] = await once(flooder, 'message');
    const witness = await Witness.connect(cluster.nodes[0].url);
    const chosen = kinds.filter((kind) => kind.includes(values.only));
    await witness.measure(2_000);
    for (const kind of chosen) {
      const ms = Number(values.seconds) * 1_000;
      await against(kind, { node: cluster.nodes[0], witness, flooder, ms });
    }
    // A reply may come before its event.
    for (let tries = 0; witness.missing > 0 && tries < 50; tries++) await delay(100);
    say(`the witness missed ${witness.missing} events, ${witness.faults} came out of order`);
    say(`the node is ${cluster.nodes[0].pid} as in the beginning: ${await cluster.nodes[0].readiness()}`);
    witness.end();
  } finally {
    flooder.kill('SIGKILL');
    await cluster.stop();
  }
});

async function against(kind, { node, witness, flooder, ms }) {
  const before = await witness.measure(ms);
  const rss = rssOf(node);
  let most = rss;
  const watch = setInterval(() => (most = Math.max(most, rssOf(node))), 100);
  flooder.send({ kind, port: node.port });
  const during = await witness.measure(ms);
  flooder.send('stop');
  const [told] = await once(flooder, 'message');
  clearInterval(watch);
  await delay(500);
  const after = await witness.measure(ms / 2);
  const quiet = [...before, ...after];
  const [still, flooded] = [percentile(quiet, 0.99), percentile(during, 0.99)];
  const ends = Object.entries(told.ends).map(([how, count]) => `${count} × ${how}`);
  say(
    `${kind.padEnd(42)} p99 ${still.toFixed(1)} → ${flooded.toFixed(1)} ms, × ${(flooded / still).toFixed(1)}` +
      `; p50 ${percentile(quiet, 0.5).toFixed(1)} → ${percentile(during, 0.5).toFixed(1)}` +
      `; most ${Math.max(...quiet).toFixed(0)} → ${Math.max(...during).toFixed(0)}` +
      `; RSS ${rss} → ${most} MiB; ${(told.bytes / 1e6).toFixed(1)} MB taken, ${ends.join(', ')}${told.failed ?? ''}`,
  );
}

function percentile(times, share) {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

function rssOf({ pid }) {
  const [, kibibytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Math.round(Number(kibibytes) / MEBIBYTE);
}
