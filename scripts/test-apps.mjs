import { main, say } from './lib/project.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { runJest } from './lib/jest.mjs';

/**
 * Tries the packages in fresh applications of Nest's template: Nest 12 and 11, with Express and with Fastify. The first
 * of each pair also runs with all tests. Without a registry they are skipped. Further arguments are Jest's.
 */
await main(async (args) => {
  await ensureInstalled();
  say('making four applications; this takes some minutes …');
  return runJest([...args, '--testMatch', '**/test/apps/*.{spec,apps}.ts']);
});
