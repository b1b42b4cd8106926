const { dirname, join } = require('node:path').posix;

/** The folder of an application's sources: as the CLI passes it, or as nest-cli.json has it for a project. */
function sourceRootOf(tree, { sourceRoot, project }) {
  const settings = readJson(tree, 'nest-cli.json') ?? {};
  const found = settings.projects?.[project];
  if (project && settings.projects && !found) {
    const known = Object.keys(settings.projects).join(', ');
    throw new Error(`nest-cli.json has no project "${project}"; it has ${known}`);
  }
  return trim(sourceRoot ?? found?.sourceRoot ?? settings.sourceRoot ?? 'src');
}

/** The file with which an application starts, without its extension; Nest's default is `main`. */
function entryFileOf(tree, sourceRoot) {
  const settings = readJson(tree, 'nest-cli.json') ?? {};
  return join(sourceRoot, projectOf(settings, sourceRoot)?.entryFile ?? settings.entryFile ?? 'main');
}

/** The project of nest-cli.json that has these sources, in a repository of several. */
function projectOf(settings, sourceRoot) {
  return Object.values(settings.projects ?? {}).find((each) => trim(each.sourceRoot ?? '') === sourceRoot);
}

function trim(path) {
  return path.replace(/^\.?\//, '').replace(/\/$/, '');
}

/** The nearest package.json of a folder, with its path. */
function packageOf(tree, folder) {
  const path = join(folder, 'package.json');
  const content = readJson(tree, path);
  if (content) return { path, content };
  return folder === '.' || folder === '/'
    ? { path: 'package.json', content: {} }
    : packageOf(tree, dirname(folder));
}

function readJson(tree, path) {
  if (!tree.exists(path)) return undefined;
  try {
    return JSON.parse(readText(tree, path).replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new Error(`${path} is not JSON: ${error.message}`);
  }
}

function readText(tree, path) {
  return tree.read(path).toString('utf8');
}

/** Paths of the TypeScript files below a folder. */
function sourcesBelow(tree, folder) {
  const found = [];
  const visit = (directory) => {
    for (const file of directory.subfiles) {
      if (/\.[cm]?ts$/.test(file) && !file.endsWith('.d.ts')) found.push(join(directory.path, file).slice(1));
    }
    for (const name of directory.subdirs) {
      if (name !== 'node_modules' && !name.startsWith('.')) visit(directory.dir(name));
    }
  };
  visit(tree.getDir(folder));
  return found;
}

module.exports = { entryFileOf, packageOf, projectOf, readJson, readText, sourceRootOf, sourcesBelow };
