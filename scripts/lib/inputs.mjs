import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Files beside the sources on which a build depends. */
const SETTINGS = [
  'tsconfig.json',
  'tsconfig.build.json',
  'nest-cli.json',
  'package-lock.json',
  'libs/nest/plugin/index.cjs',
];
/** Copied, not compiled. */
const ASSET = /\.(lua|html|css)$/;
/** Bundled, not compiled. */
const PAGE_SCRIPT = /[\\/]src[\\/]page[\\/]browser[\\/].*\.ts$/;

/** Folders that nobody writes by hand. */
const MADE = new Set(['dist', 'node_modules']);

/** A digest of names, sizes and times of everything a build depends on: another one, another build. */
export function inputsDigest() {
  return digest(watchedFiles());
}

/** Everything that a build depends on. */
export function watchedFiles() {
  const sources = sourceFiles().filter((path) => !path.endsWith('.spec.ts'));
  return [...sources, ...SETTINGS.filter((path) => existsSync(path))];
}

/** Says if a source is copied as it is. */
export function isAsset(path) {
  return ASSET.test(path);
}

/** Says if a source goes into the script of the page alone, so that the compiler has no part in it. */
export function isPageScript(path) {
  return PAGE_SCRIPT.test(path);
}

export function digest(paths) {
  const hash = createHash('sha256');
  for (const path of paths) {
    const { mtimeMs, size } = statSync(path, { throwIfNoEntry: false }) ?? {};
    hash.update(`${path}\t${mtimeMs}\t${size}\n`);
  }
  return hash.digest('hex');
}

function sourceFiles() {
  const projects = ['apps', 'libs'].flatMap((group) =>
    readdirSync(group).map((name) => join(group, name, 'src')),
  );
  return projects
    .filter((folder) => existsSync(folder))
    .flatMap(filesBelow)
    .sort();
}

/** The paths of all files of a folder but those that were built or installed there. */
export function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (MADE.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}
