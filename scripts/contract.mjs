import { join } from 'node:path';
import { main } from './lib/project.mjs';
import { claimBuild, ensureBuilt } from './lib/build.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { run } from './lib/run.mjs';

/** Writes contract/ from the features' code; "--check" compares instead, and "--accept-breaking" breaks on purpose. */
await main(async () => {
  await ensureInstalled();
  await ensureBuilt();
  const entry = join(claimBuild(), 'apps/gateway/src/process/write-contract.js');
  return (await run([process.execPath, entry, ...process.argv.slice(2)])).code;
});
