import { main, say } from './lib/project.mjs';
import { ensureBuilt } from './lib/build.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { npm, run } from './lib/run.mjs';

/** Everything that can be checked without running: lint, format, types, build, and the contract's compatibility. */
await main(async () => {
  await ensureInstalled();
  const steps = [
    ['lint', () => run(npm('run', '--silent', 'lint'))],
    ['types', () => run(npm('run', '--silent', 'typecheck'))],
    ['build', async () => ({ code: (await ensureBuilt(), 0) })],
    ['contract', () => run(npm('run', '--silent', 'contract', '--', '--check'))],
  ];
  const failed = [];
  for (const [name, step] of steps) {
    say(`checking ${name} …`);
    const { code } = await step();
    if (code !== 0) failed.push(name);
  }
  say(failed.length === 0 ? 'all checks passed' : `failed: ${failed.join(', ')}`);
  return failed.length === 0 ? 0 : 1;
});
