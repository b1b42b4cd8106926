import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { toCommonJs } from './commonjs.mjs';
import { compileModules, importsOf } from './nest-modules.mjs';
import { librarySources, remembered } from './remembered.mjs';

/** The package's folder: its manifest and its README are there. */
export const NEST_PACKAGE = 'libs/nest';
/** Where the package is put together. */
const STAGE = 'build/.stage/nest';
/** Folders that are in the package as they are: the schematics, and the plugin of the Nest CLI. */
const FOLDERS = ['schematics', 'plugin'];

/**
 * Puts `@wss/nest` together from the sources of the libraries: ES modules, CommonJS modules, types of both.
 * @returns the folder, ready to be packed
 */
export async function buildNestPackage() {
  const manifest = JSON.parse(readFileSync(join(NEST_PACKAGE, 'package.json'), 'utf8'));
  const entries = entriesOf(manifest);
  const files = await compiled(entries.map((path) => `libs/${path}.ts`));
  const types = reachableTypes(files, entries);
  const modules = new Map([...files].filter(([path]) => !path.endsWith('.d.ts')));
  rmSync(STAGE, { recursive: true, force: true });
  write('dist/esm', new Map([...modules, ...types]));
  write('dist/cjs', new Map([...(await toCommonJs(modules)), ...types]));
  write('dist/cjs', new Map([['package.json', '{ "type": "commonjs" }\n']]));
  for (const path of ['package.json', 'README.md', ...FOLDERS]) {
    if (existsSync(join(NEST_PACKAGE, path)))
      cpSync(join(NEST_PACKAGE, path), join(STAGE, path), { recursive: true });
  }
  return STAGE;
}

/** Compiling takes most of the time. */
async function compiled(entries) {
  const method = readFileSync(new URL('./nest-modules.mjs', import.meta.url));
  const texts = [method, entries.join(), ...librarySources()];
  return new Map(await remembered('nest-modules', texts, () => [...compileModules(entries)]));
}

/** The modules that the manifest exports, by their path under `libs` without an ending. */
function entriesOf({ exports }) {
  const modules = Object.values(exports).filter((entry) => typeof entry === 'object');
  return modules.map((entry) => entry.import.default.replace('./dist/esm/', '').replace(/\.js$/, ''));
}

/** The declarations that somebody sees who imports the entries, or sees what they refer to. */
function reachableTypes(files, entries) {
  const found = new Map();
  const visit = (path) => {
    if (found.has(path)) return;
    const text = files.get(path);
    if (text === undefined) throw new Error(`the types need ${path}, which was not compiled`);
    found.set(path, text);
    for (const name of importsOf(text).filter((one) => one.startsWith('.')))
      visit(posix.join(posix.dirname(path), name).replace(/\.js$/, '.d.ts'));
  };
  for (const entry of entries) visit(`${entry}.d.ts`);
  return found;
}

function write(folder, files) {
  for (const [path, text] of files) {
    const file = join(STAGE, folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
