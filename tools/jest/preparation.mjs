import { claimBuild, ensureBuilt, isBuilt } from '../../scripts/lib/build.mjs';
import { ensureProgram, isInPath } from '../../scripts/lib/debian.mjs';
import { Failure, say } from '../../scripts/lib/project.mjs';
import { needsOf, shown } from './needs.mjs';

/**
 * Makes what the specs need and is not there: the build of these sources, `redis-server`, a browser. Tests that run in
 * the process need no build, and then none is made.
 */
export async function prepare(specs) {
  const missing = { build: !isBuilt(), redis: !isInPath('redis-server'), browser: !isInPath('chromium') };
  // Following the imports of all specs takes seconds; with everything there it is not needed.
  const needs = Object.values(missing).includes(true) ? await needsOf(specs) : {};
  if (missing.redis && needs.redis.length > 0) await ensureProgram('redis-server');
  if (missing.browser && needs.browser.length > 0) await ensureBrowser(needs.browser);
  if (missing.build && needs.build.length > 0) await ensureBuilt().catch(withoutStack);
  useBuild(!missing.build || needs.build.length > 0);
}

/** Tells `GatewayNode` whether it may run the build: an old one would let the tests of new sources pass. */
function useBuild(isThere) {
  process.env.WSS_TEST_BUILD = isThere ? 'present' : 'absent';
  if (isThere) claimBuild();
}

/** Jest shows the stack of an error; the sources that do not compile were shown. */
function withoutStack(error) {
  if (error instanceof Failure) error.stack = `wss: ${error.message}`;
  throw error;
}

/** Without a browser its test fails and says so; the others do not need one. */
async function ensureBrowser(specs) {
  try {
    await ensureProgram('chromium');
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    say(`${error.message}\n  Until then these fail: ${specs.map(shown).join(', ')}`);
  }
}
