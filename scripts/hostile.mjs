import { main, say } from './lib/project.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { runJest } from './lib/jest.mjs';

/** The hostile suite in its long form, one spec after another; arguments are Jest's. */
await main(async (args) => {
  await ensureInstalled();
  say('thousands of connections with random bytes, floods of every kind of frame …');
  process.env.HOSTILE = 'long';
  return runJest(['--runInBand', 'test/hostile/', ...args]);
});
