import { resolve } from 'node:path';
import { ensureInstalled } from './lib/install.mjs';
import { Failure, main, say } from './lib/project.mjs';
import { run } from './lib/run.mjs';

const PRETTIER = 'node_modules/prettier/bin/prettier.cjs';
const FEATURES = 'apps/gateway/src/features';
const COLLECTION = 'tools/schematics/collection.json';

/** Makes a feature module: npm run feature -- poll */
await main(async ([name, ...rest]) => {
  if (name === undefined || rest.length > 0) {
    throw new Failure('a feature needs one name.', 'npm run feature -- shopping-list');
  }
  await ensureInstalled();
  const { NodeWorkflow } = await import('@angular-devkit/schematics/tools/index.js');
  const workflow = new NodeWorkflow(process.cwd(), {});
  workflow.reporter.subscribe(({ kind, path }) => say(`${kind} ${path.replace(/^\//, '')}`));
  try {
    await execute(workflow, name);
  } catch (error) {
    throw new Failure(error.message);
  }
  // How lines break depends on how long the name is.
  await run([
    process.execPath,
    PRETTIER,
    '--log-level=warn',
    '--write',
    `${FEATURES}/${name}`,
    `${FEATURES}/index.ts`,
  ]);
  say(`now try its test: npm test -- features/${name}`);
});

function execute(workflow, name) {
  const work = { collection: resolve(COLLECTION), schematic: 'feature', options: { name } };
  return new Promise((done, failed) => {
    workflow.execute(work).subscribe({ error: failed, complete: done });
  });
}
