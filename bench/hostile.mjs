import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { main, say } from '../scripts/lib/project.mjs';
import { ensureBuilt } from '../scripts/lib/build.mjs';
import { ensureProgram } from '../scripts/lib/debian.mjs';
import { report } from './hostile/report.mjs';
import { Scene } from './hostile/scene.mjs';

/**
 * How long an honest client waits for its answers while another one floods the node, against the same client with
 * nobody beside it; the events that it misses, and the memory of the node.
 *
 * Short quiet and flooded windows take turns, so that whatever else the machine does falls on both. A third window has the
 * same flooder against a sink that does nothing with it: what that costs the witness is the price of the flooder's core.
 * The node's own turns are measured by the CPU that they take, which nobody else's load changes.
 */

/** The ratio of the p99 of the flooded windows to that of the quiet ones stays below it. */
const MOST = 3;

const OPTIONS = {
  rounds: { type: 'string', default: '6' },
  window: { type: 'string', default: '1000' },
  only: { type: 'string', default: '' },
};

await main(async (args) => {
  const { values } = parseArgs({ args, options: OPTIONS });
  await ensureProgram('redis-server');
  await ensureBuilt();
  const folder = mkdtempSync(join(tmpdir(), 'wss-hostile-'));
  const scene = new Scene(join(folder, 'turns'), Number(values.window));
  try {
    await scene.start();
    say(`${new Date().toISOString().slice(0, 10)}, ${availableParallelism()} × ${cpus()[0]?.model.trim()}`);
    const over = [];
    for (const kind of scene.kinds.filter((each) =>
      values.only.split(',').some((part) => each.includes(part)),
    )) {
      const measured = await scene.against(kind, Number(values.rounds));
      if (report(kind, measured) >= MOST) over.push(kind);
    }
    await scene.tellEnd();
    say(over.length === 0 ? `all are below × ${MOST}` : `not below × ${MOST}: ${over.join(', ')}`);
  } finally {
    await scene.stop();
    rmSync(folder, { recursive: true });
  }
});
