import { main, say } from './lib/project.mjs';
import { ensureProgram } from './lib/debian.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { run } from './lib/run.mjs';

/**
 * Tries the packages in fresh applications of Nest's template: Nest 12 and 11, with Express and with Fastify. The first
 * of each pair also runs with all tests. Without a registry they are skipped. Further arguments are Jest's.
 */
await main(async (args) => {
  await ensureInstalled();
  await ensureProgram('redis-server');
  say('making four applications; this takes some minutes …');
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const options = ['--forceExit', '--testMatch', '**/test/apps/*.{spec,apps}.ts'];
  return (await run([process.execPath, ...node, 'node_modules/jest/bin/jest.js', ...options, ...args])).code;
});
