const { basename, dirname, join, relative } = require('node:path').posix;
const { Classes } = require('../source/classes.cjs');
const { formatted, formattedAgain } = require('../source/formatting.cjs');
const { addImport, importsOf } = require('../source/imports.cjs');
const { addToImports, moduleClasses } = require('../source/module-imports.cjs');
const { append } = require('../source/lists.cjs');
const { packageOf, sourceRootOf } = require('../source/project.cjs');
const { loadTypescript } = require('../source/typescript.cjs');
const { checkClasses, checkKind, namesOf } = require('./names.cjs');
const { render } = require('./templates.cjs');
const { testImports } = require('./test-runner.cjs');

/**
 * Makes a feature with everything that belongs to one, and adds its module to the nearest module of the application, or to
 * the list that the option `list` names.
 */
function feature(options) {
  return async (tree, context) => {
    const classes = new Classes(loadTypescript(), tree);
    const place = locate(tree, options);
    const door = doorOf(tree, classes, place.folder, options);
    const names = namesOf(place.name);
    const tests = options.spec === false ? undefined : testImports(tree, place.folder);
    const extension = extensionOf(tree, place.folder, door);
    const files = render({ ...names, extension, tests, specFileSuffix: suffixOf(options) });
    checkAbsent(tree, place.folder, files);
    checkClasses(classes.ts, names, files);
    checkKind(tree, classes, place.sourceRoot, names.name);
    await create(tree, place.folder, files);
    await enlist({ tree, context, door, ...place, ...names, extension }, options);
    if (tests === undefined && options.spec !== false) {
      context.logger.warn('package.json has neither Jest nor Vitest, so the feature has no test.');
    }
  };
}

/** The folder and the name of a feature; a name may have folders in front, as in `games/poll`. */
function locate(tree, { name, path = '', flat, ...options }) {
  const atRoot = ['nest-cli.json', 'package.json', 'tsconfig.json'].some((file) => tree.exists(file));
  const sourceRoot = atRoot ? sourceRootOf(tree, options) : '.';
  const parent = join(sourceRoot, path, dirname(name));
  const own = basename(name);
  return { sourceRoot, name: own, folder: flat ? parent : join(parent, own) };
}

function suffixOf({ specFileSuffix }) {
  return specFileSuffix && specFileSuffix !== 'undefined' ? specFileSuffix : 'spec';
}

/** The file that gets the feature's module: the list, or the nearest file of a module at or above its folder. */
function doorOf(tree, classes, folder, { list, skipImport }) {
  if (skipImport) return undefined;
  const path = list ?? nearestModule(tree, folder);
  return path && classes.open(path);
}

function nearestModule(tree, folder) {
  const file = tree.getDir(folder).subfiles.find((each) => each.endsWith('.module.ts'));
  if (file) return join(folder, file);
  return folder === '.' || folder === '/' ? undefined : nearestModule(tree, dirname(folder));
}

/** The ending of relative imports: as in the file that gets the module, else by the type of the package. */
function extensionOf(tree, folder, door) {
  const neighbor =
    door && importsOf(door).find(({ moduleSpecifier }) => moduleSpecifier.text.startsWith('.'));
  if (neighbor) return /\.[jt]s$/.exec(neighbor.moduleSpecifier.text)?.[0] ?? '';
  return packageOf(tree, folder).content.type === 'module' ? '.js' : '';
}

function checkAbsent(tree, folder, files) {
  const there = files.map(({ file }) => join(folder, file)).find((path) => tree.exists(path));
  if (there) throw new Error(`${there} is there already; choose another name or remove it`);
}

async function create(tree, folder, files) {
  for (const { file, text } of files) {
    const path = join(folder, file);
    tree.create(path, await formatted(path, text));
  }
}

async function enlist({ tree, context, door, folder, name, Name, extension }, { list, skipImport }) {
  if (skipImport) return;
  const path = relative(dirname(door?.path ?? folder), join(folder, `${name}.module${extension}`));
  const from = path.startsWith('.') ? path : `./${path}`;
  const problem = door ? add(door, `${Name}Module`, from, list) : 'no file of a module was found';
  if (!problem) return tree.overwrite(door.path, await formattedAgain(door.path, door.text, door.edited()));
  context.logger.warn(
    `${door ? `${door.path} was not changed: ` : ''}${problem}. Add ${Name}Module to the imports of a module:\n    import { ${Name}Module } from '${from}';`,
  );
}

function add(door, module, from, list) {
  if (!addImport(door, module, from)) return `it uses the name "${module}" for something else`;
  const [owner] = list ? [] : moduleClasses(door);
  const problem = list
    ? addToList(door, module)
    : owner
      ? addToImports(door, owner, module)
      : 'it has no class with @Module({ … })';
  if (problem) door.forget();
  return problem;
}

/** Adds to the array of `export const features = [ … ]`, whatever its name. */
function addToList(source, module) {
  const { ts } = source;
  const list = source.all(
    (node) =>
      ts.isVariableDeclaration(node) && node.initializer && ts.isArrayLiteralExpression(node.initializer),
  )[0];
  if (!list) return 'it has no list of modules';
  append(source, list.initializer.elements, list.initializer.getEnd() - 1, module);
  return undefined;
}

module.exports = feature;
module.exports.default = feature;
