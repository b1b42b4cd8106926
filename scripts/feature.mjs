import { resolve } from 'node:path';
import { ensureInstalled } from './lib/install.mjs';
import { Failure, main, say } from './lib/project.mjs';

const COLLECTION = 'libs/nest/schematics/collection.json';

/** Makes a feature of the gateway: npm run feature -- poll */
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
  say(`now try its test: npm test -- features/${name}`);
});

/** The features of the gateway stand in a list, not in a module. */
function execute(workflow, name) {
  const options = { name, path: 'features', list: 'apps/gateway/src/features/index.ts' };
  const work = { collection: resolve(COLLECTION), schematic: 'feature', options };
  return new Promise((done, failed) => {
    workflow.execute(work).subscribe({ error: failed, complete: done });
  });
}
