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
  // A test that failed half-way may have left servers, which end with the run but would keep it from ending.
  const jest = [process.execPath, ...node, 'node_modules/jest/bin/jest.js', '--forceExit'];
  return (await run([...jest, ...args])).code;
});
