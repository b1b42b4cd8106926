import { readFileSync } from 'node:fs';
import { basename, posix, sep } from 'node:path';
import ts from 'typescript';
import { filesBelow } from './inputs.mjs';
import { Failure } from './project.mjs';

/** Stands for the place of a module: the package has no files beside its modules that they could read. */
const PLACE = 'package:/';
/** The module that reads files of scripts. */
const LUA_TEXT = 'redis/src/links/lua-text.js';
/** The module that must know where it really is. */
const COPIES = 'nest/src/loaded-copies.js';
const LIBRARIES = 'libs';

/**
 * Compiles modules and everything that they import from `libs`.
 * @param entries paths of their sources
 * @returns the text of each file by its path under `libs`: `core/src/index.js`, `.js.map` and `.d.ts`
 */
export function compileModules(entries) {
  const files = new Map();
  const settings = options();
  const sources = sourceFiles();
  const program = ts.createProgram([...entries, ...ambientTypes(sources)], settings);
  const { diagnostics } = program.emit(undefined, (path, text) =>
    files.set(path.slice('/out/'.length), text),
  );
  const problems = [...ts.getPreEmitDiagnostics(program), ...diagnostics];
  if (problems.length > 0) throw new Failure(describe(problems), 'mend the errors above.');
  for (const [path, text] of files) files.set(path, adapt(path, text, settings.paths));
  files.set(LUA_TEXT, luaTexts(sources));
  files.delete(`${LUA_TEXT}.map`);
  return files;
}

function options() {
  const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile);
  const { options: own } = ts.parseJsonConfigFileContent(config, ts.sys, '.');
  return {
    ...own,
    incremental: false,
    tsBuildInfoFile: undefined,
    rootDir: LIBRARIES,
    outDir: '/out',
    declaration: true,
    stripInternal: true,
    inlineSources: true,
  };
}

function ambientTypes(sources) {
  return sources.filter((path) => path.endsWith('.d.ts') && /^libs\/[^/]+\/src\//.test(path));
}

function describe(problems) {
  const host = {
    getCurrentDirectory: () => process.cwd(),
    getCanonicalFileName: (name) => name,
    getNewLine: () => '\n',
  };
  return `the sources do not compile:\n${ts.formatDiagnostics(problems, host)}`;
}

function adapt(path, text, paths) {
  if (path.endsWith('.map')) return withoutFolders(text);
  const linked = withRelativeImports(path, text, paths);
  if (path.endsWith('.d.ts') || path === COPIES) return linked;
  return linked.replaceAll('import.meta.url', `'${PLACE}${path}'`);
}

/** A map that names its source as a file beside the module; the text of the source is in the map. */
export function withoutFolders(text) {
  const map = JSON.parse(text);
  return JSON.stringify({
    ...map,
    sourceRoot: undefined,
    sources: map.sources.map((path) => basename(path)),
  });
}

function withRelativeImports(path, text, paths) {
  return replaceImports(text, (name) => {
    if (!name.startsWith('@wss/')) return name;
    const target = posix.relative(posix.dirname(path), moduleOf(name, paths));
    return target.startsWith('.') ? target : `./${target}`;
  });
}

/** The module that `@wss/<library>` or `@wss/nest/<subpath>` names, by the compiler's `paths`. */
function moduleOf(name, paths) {
  const [source] = paths[name] ?? [];
  if (source) return source.replace(/^\.\/libs\//, '').replace(/\.ts$/, '.js');
  return `${name.slice('@wss/'.length)}/src/index.js`;
}

/** The names that a module imports. */
export function importsOf(text) {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
}

/** Replaces the names that a module imports, and nothing else in it. */
export function replaceImports(text, replace) {
  const { importedFiles } = ts.preProcessFile(text, true, true);
  let replaced = text;
  // From the last to the first, so that the positions stay right; each is that of the opening quote.
  for (const { fileName, pos } of importedFiles.toReversed()) {
    const [start, end] = [pos + 1, pos + 1 + fileName.length];
    if (text.slice(start, end) !== fileName) throw new Error(`the import of "${fileName}" was not found`);
    replaced = replaced.slice(0, start) + replace(fileName) + replaced.slice(end);
  }
  return replaced;
}

/** The texts of all scripts, in the place of the module that reads them from files. */
function luaTexts(sources) {
  const files = sources.filter((path) => path.endsWith('.lua'));
  const texts = files.map((path) => [`/${path.slice('libs/'.length)}`, readFileSync(path, 'utf8')]);
  return `const TEXTS = ${JSON.stringify(Object.fromEntries(texts), undefined, 2)};

export function luaText(file) {
  const text = TEXTS[file.pathname];
  if (text === undefined) throw new Error(\`the package has no script \${file.pathname}\`);
  return text;
}
`;
}

function sourceFiles() {
  return filesBelow(LIBRARIES)
    .map((path) => path.split(sep).join('/'))
    .sort();
}
