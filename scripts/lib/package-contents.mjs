import { posix } from 'node:path';

/** Names of files that are for us, and never in a package. */
const OURS =
  /\.(spec|test|contract)\.|(^|\/)(test|tests|child|browser|fixtures)\/|(?<!\.d)\.ts$|\.(tsbuildinfo|tgz)$/;

/**
 * Compares the files of a package with what may be in it.
 * @param contents the committed list: `files`; `folders`, each with the endings of its files, `?` behind those that it
 *   may lack; `withoutMap`, the modules that no source was compiled to; `most` bytes, packed and unpacked
 * @param packed `files` as text by path, and `bytes`, packed and unpacked
 * @returns a sentence for each problem
 */
export function problemsOf(contents, packed) {
  const list = { files: contents.files, folders: foldersOf(contents) };
  const paths = [...packed.files.keys()];
  return [
    ...paths
      .filter((path) => OURS.test(path) || !isListed(path, list))
      .map((path) => `${path} is unexpected`),
    ...missing(paths, list).map((path) => `${path} is missing`),
    ...mapProblems(packed.files, contents.withoutMap),
    ...sizeProblems(packed.bytes, contents.most),
  ];
}

/** Folder → its endings; true if some file must have it. */
function foldersOf({ folders }) {
  const entries = Object.entries(folders).flatMap(([name, endings]) => {
    const wanted = endings.split(' ').map((ending) => [ending.replace('?', ''), !ending.endsWith('?')]);
    return alternatives(name).map((folder) => [folder, new Map(wanted)]);
  });
  return new Map(entries);
}

/** `dist/{esm,cjs}/core{,/rooms}` names four folders. */
function alternatives(name) {
  const [, before, list, after] = /^([^{]*)\{([^}]*)\}(.*)$/.exec(name) ?? [];
  if (list === undefined) return [name];
  return list.split(',').flatMap((part) => alternatives(`${before}${part}${after}`));
}

function isListed(path, { files, folders }) {
  return files.includes(path) || (folders.get(posix.dirname(path))?.has(endingOf(path)) ?? false);
}

/** `.d.ts`, `.js.map`, `.ts.template`; else the last ending. */
function endingOf(path) {
  return /(\.d\.ts|\.js\.map|\.ts\.template|\.[^.]+)$/.exec(posix.basename(path))?.[0];
}

function missing(paths, { files, folders }) {
  const present = new Set(paths.map((path) => `${posix.dirname(path)}/*${endingOf(path)}`));
  const wanted = [...folders].flatMap(([folder, endings]) =>
    [...endings].filter(([, needed]) => needed).map(([ending]) => `${folder}/*${ending}`),
  );
  return [...files.filter((path) => !paths.includes(path)), ...wanted.filter((path) => !present.has(path))];
}

function mapProblems(files, withoutMap) {
  const problems = [];
  for (const [path, text] of files) {
    if (path.endsWith('.map') && !isWhole(JSON.parse(text)))
      problems.push(`${path} is a map without its sources, or names files outside the package`);
    const isModule = path.startsWith('dist/') && path.endsWith('.js');
    if (isModule && !files.has(`${path}.map`) && !withoutMap.some((end) => path.endsWith(`/${end}`)))
      problems.push(`${path} has no map`);
  }
  return problems;
}

function isWhole({ sources, sourcesContent = [], sourceRoot = '' }) {
  return sources.every(
    (source, index) => sourcesContent[index] && !/^([/\\]|[a-z]+:|\.\.)/i.test(`${sourceRoot}${source}`),
  );
}

function sizeProblems(bytes, most) {
  return Object.entries(most)
    .filter(([kind, limit]) => bytes[kind] > limit)
    .map(([kind, limit]) => `it has ${bytes[kind]} bytes ${kind}, more than ${limit}`);
}
