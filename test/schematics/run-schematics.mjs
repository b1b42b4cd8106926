// Runs schematics on folders, as the CLI of a release does: run-schematics.mjs PACKAGE_OF_NESTS_SCHEMATICS. It is forked, gets
// lists of jobs as messages, and answers each with the list of their results.
import { createRequire } from 'node:module';

const own = createRequire(import.meta.url);
/** The schematics of a release of Nest bring the engine of that release's CLI. */
const require = createRequire(own.resolve(process.argv[2]));
const { NodeWorkflow } = require('@angular-devkit/schematics/tools');
const { logging, schema } = require('@angular-devkit/core');

process.on('message', async (jobs) => {
  const results = [];
  for (const job of jobs) results.push(await run(job));
  process.send(results);
});

/** Gives back the files that a schematic changed, what it said, and its error. */
async function run({ folder, collection, schematic, options }) {
  process.chdir(folder);
  const result = { changes: [], warnings: [], error: undefined };
  const logger = new logging.Logger('schematics');
  logger.subscribe(({ level, message }) => level === 'warn' && result.warnings.push(message));
  const workflow = new NodeWorkflow(folder, { schemaValidation: true, resolvePaths: [folder] });
  workflow.registry.addPostTransform(schema.transforms.addUndefinedDefaults);
  workflow.reporter.subscribe(({ kind, path }) => result.changes.push(`${kind} ${path.replace(/^\//, '')}`));
  try {
    await new Promise((done, failed) => {
      workflow
        .execute({ collection, schematic, options, logger })
        .subscribe({ error: failed, complete: done });
    });
  } catch (error) {
    result.error = error.message;
  }
  return result;
}
