import { main, say } from './lib/project.mjs';
import { claimBuild, ensureBuilt } from './lib/build.mjs';
import { ensureProgram } from './lib/debian.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { run } from './lib/run.mjs';

/** Runs the tests, or those whose path matches a pattern; further arguments are Jest's. */
await main(async (args) => {
  await ensureInstalled();
  await ensureProgram('redis-server');
  await ensureBuilt();
  claimBuild();
  say('testing …');
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  return (await run([process.execPath, ...node, 'node_modules/jest/bin/jest.js', ...args])).code;
});
