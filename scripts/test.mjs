import { resolve } from 'node:path';
import { Failure, main, say } from './lib/project.mjs';
import { claimBuild, ensureBuilt } from './lib/build.mjs';
import { ensureProgram } from './lib/debian.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { run } from './lib/run.mjs';

/** The only test that needs a browser. */
const PAGE_TEST = 'test/demo.page.spec.ts';

/** Runs the tests, or those whose path matches a pattern; further arguments are Jest's. */
await main(async (args) => {
  await ensureInstalled();
  await ensureProgram('redis-server');
  if (isSelected(PAGE_TEST, args)) await ensureBrowser();
  await ensureBuilt();
  claimBuild();
  say('testing …');
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  // A test that failed half-way may have left servers, which end with the run but would keep it from ending.
  const jest = [process.execPath, ...node, 'node_modules/jest/bin/jest.js', '--forceExit'];
  return (await run([...jest, ...args])).code;
});

/** True if Jest will run this file: without patterns every file, else those whose path matches one of them. */
function isSelected(file, args) {
  const patterns = args.filter((arg) => !arg.startsWith('-'));
  return patterns.length === 0 || patterns.some((pattern) => new RegExp(pattern, 'i').test(resolve(file)));
}

/** Without a browser the page's test fails and says so; the others do not need one. */
async function ensureBrowser() {
  try {
    await ensureProgram('chromium');
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    say(`${error.message}\n  Until then ${PAGE_TEST} fails.`);
  }
}
