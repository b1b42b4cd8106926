import { main, say } from './lib/project.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { runJest } from './lib/jest.mjs';

/** The proofs of atomic state in their long form, one after another; arguments are Jest's. */
await main(async (args) => {
  await ensureInstalled();
  say('10,000 commands over cut links, 30 failovers that lose data, planted bugs, fuzzed stores …');
  process.env.CHAOS = 'long';
  const suites = ['test/chaos', 'room-store-fuzz', 'fanout.spec', 'random-gateways', 'nest-add'];
  return runJest(['--runInBand', ...suites, ...args]);
});
