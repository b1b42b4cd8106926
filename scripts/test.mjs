import { main } from './lib/project.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { runJest } from './lib/jest.mjs';

/** Runs the tests, or those whose path matches a pattern; further arguments are Jest's, e.g. `--watch`. */
await main(async (args) => {
  await ensureInstalled();
  return runJest(args);
});
