import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { minify } from '@swc/core';
import { bundle } from './bundle.mjs';
import { internalNames } from './internal-names.mjs';
import { withLock } from './lock.mjs';
import { Failure } from './project.mjs';
import { librarySources, remembered } from './remembered.mjs';
import { run } from './run.mjs';
import { placeholder, withShortNames } from './short-names.mjs';

/** The package's folder: its manifest is there, and `dist` is made. */
export const CLIENT = 'libs/client';
/** Largest size of the bundle, bytes after gzip. */
export const MOST_BYTES = 8_192;

const DIST = join(CLIENT, 'dist');
const ENTRY = join(CLIENT, 'src/index.ts');
/** The program of the package; it is made of the contract's library. */
const PROGRAM = 'libs/contract/src/pull/main.ts';
/** The types of its own sources, among those that the compiler writes. */
const OWN_TYPES = join('client', 'src');

/**
 * Makes one minified ES module and its types, and the program `wss-contract`.
 * @param dist folder of the module; what was in it is removed
 * @returns the bundle's size, bytes after gzip
 */
export function buildClient(dist = DIST) {
  return withLock('client', async () => {
    rmSync(dist, { recursive: true, force: true });
    const code = await smallest();
    await writeTypes(dist);
    writeFileSync(join(dist, 'index.js'), code);
    await writeProgram(dist);
    return weight(code);
  });
}

const weight = (code) => gzipSync(code, { level: 9 }).length;

/** Names that are not used outside are short. */
async function smallest() {
  const neighbours = await namesToShorten();
  const names = [...neighbours.keys()];
  const mangleProps = new RegExp(`^(${names.join('|')})$`);
  const mangleCache = Object.fromEntries(names.map((name, index) => [name, placeholder(index)]));
  const code = await minified(await bundle({ entryPoints: [ENTRY], mangleProps, mangleCache, write: false }));
  const texts = [methodOf('short-names'), JSON.stringify([...neighbours]), code];
  return remembered('short-names', texts, () => withShortNames(code, neighbours, weight));
}

async function namesToShorten() {
  const texts = [methodOf('internal-names'), ...librarySources()];
  return new Map(
    await remembered('internal-names', texts, () => [...internalNames(ENTRY, join(CLIENT, 'src'))]),
  );
}

function methodOf(module) {
  return readFileSync(new URL(`./${module}.mjs`, import.meta.url));
}

/** swc's compressor finds two percent that esbuild's does not. */
async function minified({ outputFiles: [{ text }] }) {
  const options = {
    compress: { toplevel: true, passes: 2, ecma: 2022, hoist_funs: true, sequences: false },
    mangle: { toplevel: true },
  };
  return (await minify(text, { module: true, ...options })).code;
}

/** The program `wss-contract`: a file of its own, which the bundle knows nothing of. */
async function writeProgram(dist) {
  const banner = { js: '#!/usr/bin/env node' };
  const outfile = join(dist, 'wss-contract.js');
  await bundle({ entryPoints: [PROGRAM], outfile, platform: 'node', target: 'node20', banner });
}

async function writeTypes(dist) {
  const texts = [methodOf('client-package'), ...librarySources()];
  const types = await remembered('client-types', texts, () => compileTypes(join(dist, 'types')));
  for (const [path, text] of types) {
    const file = join(dist, 'types', path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}

/**
 * The compiler writes a file per source; the one library that they import is among them.
 * @returns the text of each by its path in the folder
 */
async function compileTypes(folder) {
  const settings = join(dirname(folder), 'tsconfig.json');
  mkdirSync(folder, { recursive: true });
  writeFileSync(settings, JSON.stringify(settingsOfTypes(relative(dirname(folder), '.'))));
  const { code } = await run([process.execPath, 'node_modules/typescript/bin/tsc', '-p', settings]);
  if (code !== 0) throw new Failure("the client's types could not be made.", 'mend the errors above.');
  rmSync(settings);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.ts'),
  );
  return files.map((path) => {
    const text = readFileSync(join(folder, path), 'utf8');
    return [path, path.startsWith(OWN_TYPES) ? withProtocolBeside(path, text) : text];
  });
}

/** @param root the repository, from the folder of the settings */
function settingsOfTypes(root) {
  const compilerOptions = {
    rootDir: join(root, 'libs'),
    outDir: 'types',
    incremental: false,
    tsBuildInfoFile: null,
    declaration: true,
    emitDeclarationOnly: true,
    stripInternal: true,
    types: [],
  };
  return {
    extends: join(root, 'tsconfig.json'),
    compilerOptions,
    include: [join(root, CLIENT, 'src')],
    exclude: [join(root, CLIENT, 'src/**/*.spec.ts')],
  };
}

function withProtocolBeside(path, text) {
  const protocol = join(relative(dirname(path), '.'), 'protocol/src/index.js');
  return text.replaceAll("'@wss/protocol'", `'${protocol}'`);
}
