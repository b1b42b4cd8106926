import { main, say } from './lib/project.mjs';
import { claimBuild, ensureBuilt } from './lib/build.mjs';
import { ensureProgram } from './lib/debian.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { run } from './lib/run.mjs';

/** The proofs of atomic state in their long form, one after another; arguments are Jest's. */
await main(async (args) => {
  await ensureInstalled();
  await ensureProgram('redis-server');
  await ensureBuilt();
  claimBuild();
  say('10,000 commands over cut links, 30 failovers that lose data, planted bugs, fuzzed stores …');
  process.env.CHAOS = 'long';
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  // Handles that a run left open must not keep it from ending.
  const jest = [
    'node_modules/jest/bin/jest.js',
    '--forceExit',
    '--runInBand',
    'test/chaos',
    'room-store-fuzz',
    'fanout.spec',
    'random-gateways',
    'nest-add',
  ];
  return (await run([process.execPath, ...node, ...jest, ...args])).code;
});
