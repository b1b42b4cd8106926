const { Classes } = require('../source/classes.cjs');
const { formattedAgain } = require('../source/formatting.cjs');
const { addImport, localNames, quoteOf } = require('../source/imports.cjs');
const { addToImports } = require('../source/module-imports.cjs');
const { entryFileOf, readText, sourceRootOf, sourcesBelow } = require('../source/project.cjs');
const { loadTypescript } = require('../source/typescript.cjs');
const {
  addStatements,
  callsUseWss,
  enablesHooks,
  findApplication,
  statementsFor,
} = require('./main-file.cjs');
const { addPackages } = require('./packages.cjs');
const { addPlugin } = require('./plugin.cjs');

/** The element for the imports of the root module, in the quotes of its file. */
const element = (quote = "'") =>
  `WssModule.forRoot({ path: ${quote}/live${quote}, auth: ${quote}none${quote} })`;
/** Our package.json stands beside the schematics. */
const OWN_PACKAGE = '../../package.json';

/**
 * Adds `WssModule` to the root module of an application, `useWss` and `enableShutdownHooks` to its main file, and to
 * nest-cli.json the plugin that brings doc comments into the contract. Changes nothing the second time. Where it does not find the place it changes nothing, and says what to add by hand.
 */
function nestAdd(options) {
  return async (tree, context) => {
    const sourceRoot = sourceRootOf(tree, options);
    const work = { tree, context, classes: new Classes(loadTypescript(), tree), sourceRoot };
    const main = mainFile(work);
    const application = main ? findApplication(main) : {};
    await addModule(work, main, application);
    await addCalls(work, main, application);
    await addComments(work);
    if (addPackages(tree, sourceRoot, require(OWN_PACKAGE)) && !options.skipInstall) context.addTask(install);
  };
}

/** Installs what was added to package.json, by the package manager of the application. */
const install = {
  toConfiguration: () => ({ name: 'node-package', options: { command: 'install', quiet: true } }),
};

function mainFile({ tree, classes, sourceRoot }) {
  const path = `${entryFileOf(tree, sourceRoot)}.ts`;
  return tree.exists(path) ? classes.open(path) : undefined;
}

async function addModule({ tree, context, classes, sourceRoot }, main, { module }) {
  const done = someSource({ tree, classes, sourceRoot }, /\bWssModule\b/, registersModule);
  if (done) return;
  const found = main && module && classes.find(main, module);
  const problem = found ? register(found) : 'was not found';
  if (problem) {
    const where = found ? `${found.source.path} was not changed: ${problem}` : `The root module ${problem}`;
    context.logger.warn(
      `${where}. Add to the imports of the root module:\n${byHand('WssModule', [`${element()},`])}`,
    );
  } else {
    await save(tree, found.source);
  }
}

function register({ source, node }) {
  if (!addImport(source, 'WssModule', '@wss/nest')) return 'it uses the name "WssModule" for something else';
  const problem = addToImports(source, node, element(quoteOf(source)));
  if (problem) source.forget();
  return problem;
}

function registersModule(source) {
  const names = localNames(source, 'WssModule', '@wss/nest');
  const { ts } = source;
  const isRoot = (node) =>
    ts.isPropertyAccessExpression(node) &&
    names.includes(node.expression.getText()) &&
    node.name.text.startsWith('forRoot');
  return source.all(isRoot).length > 0;
}

async function addCalls({ tree, context, classes, sourceRoot }, main, application) {
  const sources = { tree, classes, sourceRoot };
  const wanted = {
    useWss: !someSource(sources, /\buseWss\b/, callsUseWss),
    hooks: !someSource(sources, /\benableShutdownHooks\b/, enablesHooks),
  };
  if (!wanted.useWss && !wanted.hooks) return;
  const problem = main
    ? (application.problem ?? addStatements(main, application, wanted))
    : 'there is no such file';
  if (!problem) return save(tree, main);
  const path = `${entryFileOf(tree, sourceRoot)}.ts`;
  const lines = statementsFor(application.name ?? 'app', wanted).map((line) => `${line};`);
  context.logger.warn(
    `${path} was not changed: ${problem}. Add where the application is created, before it listens:\n${byHand('useWss', lines)}`,
  );
}

async function addComments({ tree, context, sourceRoot }) {
  const problem = await addPlugin(tree, sourceRoot);
  if (!problem) return;
  context.logger.warn(
    `nest-cli.json was not changed: ${problem}. To bring doc comments into the contract, add to it:\n    "compilerOptions": { "plugins": ["@wss/nest/plugin"] }`,
  );
}

/** True if a file of the application passes; those that lack the words are not looked into. */
function someSource({ tree, classes, sourceRoot }, words, passes) {
  return sourcesBelow(tree, sourceRoot)
    .filter((path) => words.test(readText(tree, path)))
    .some((path) => passes(classes.open(path)));
}

function byHand(name, lines) {
  const needed = lines.some((line) => line.includes(name))
    ? [`import { ${name} } from '@wss/nest';`, '']
    : [];
  return [...needed, ...lines].map((line) => `    ${line}`.trimEnd()).join('\n');
}

async function save(tree, source) {
  tree.overwrite(source.path, await formattedAgain(source.path, source.text, source.edited()));
}

module.exports = nestAdd;
module.exports.default = nestAdd;
