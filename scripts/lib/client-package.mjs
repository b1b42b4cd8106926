import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { minify } from '@swc/core';
import { bundle } from './bundle.mjs';
import { internalNames } from './internal-names.mjs';
import { withLock } from './lock.mjs';
import { Failure } from './project.mjs';
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
/** The last program with short names. */
const SHORT_NAMES = 'build/.short-names';

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
  const neighbours = internalNames(ENTRY, join(CLIENT, 'src'));
  const names = [...neighbours.keys()];
  const mangleProps = new RegExp(`^(${names.join('|')})$`);
  const mangleCache = Object.fromEntries(names.map((name, index) => [name, placeholder(index)]));
  const code = await minified(await bundle({ entryPoints: [ENTRY], mangleProps, mangleCache, write: false }));
  return remembered(code, neighbours);
}

/** Short names take most of the time, and the same program always gets the same ones; they are kept by its digest. */
function remembered(code, neighbours) {
  const method = readFileSync(new URL('./short-names.mjs', import.meta.url));
  const digest = createHash('sha256')
    .update(method)
    .update(JSON.stringify([...neighbours]))
    .update(code);
  const file = join(SHORT_NAMES, `${digest.digest('hex')}.js`);
  if (existsSync(file)) return readFileSync(file, 'utf8');
  const short = withShortNames(code, neighbours, weight);
  rmSync(SHORT_NAMES, { recursive: true, force: true });
  mkdirSync(SHORT_NAMES, { recursive: true });
  writeFileSync(file, short);
  return short;
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

/** The compiler writes a file per source; the one library that they import moves in with them. */
async function writeTypes(dist) {
  const types = join(dist, 'types');
  const settings = join(dist, 'tsconfig.json');
  const root = relative(dist, '.');
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
  mkdirSync(types, { recursive: true });
  writeFileSync(
    settings,
    JSON.stringify({
      extends: join(root, 'tsconfig.json'),
      compilerOptions,
      include: [join(root, CLIENT, 'src')],
      exclude: [join(root, CLIENT, 'src/**/*.spec.ts')],
    }),
  );
  const { code } = await run([process.execPath, 'node_modules/typescript/bin/tsc', '-p', settings]);
  if (code !== 0) throw new Failure("the client's types could not be made.", 'mend the errors above.');
  rmSync(settings);
  const folder = join(types, 'client/src');
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const path = join(folder, file);
    const protocol = join(relative(dirname(path), types), 'protocol/src/index.js');
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll("'@wss/protocol'", `'${protocol}'`));
  }
}
