import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { inputsDigest } from './inputs.mjs';
import { withLock } from './lock.mjs';
import { isAlive, self } from './process-identity.mjs';
import { withProgress } from './progress.mjs';
import { Failure } from './project.mjs';
import { run, show } from './run.mjs';

/**
 * build/<id>/           a build, or the output of one dev process
 * build/.records/<id>/  what we know about it: the compiler's settings, the digest of its sources, its users
 * dist                  a link to the present build, replaced in one step
 */
const RECORDS = join('build', '.records');
const LINK = 'dist';
/** Builds that stay although no process claims them: for nodes that were started without these scripts. */
const SPARE_BUILDS = 2;

export const NEST = 'node_modules/@nestjs/cli/bin/nest.js';
/** The program inside a build. */
export const ENTRY = 'apps/gateway/src/main.js';

/**
 * Builds the gateway unless the build is as new as the sources.
 * @returns true if it built
 */
export async function ensureBuilt() {
  if (!whyToBuild()) return false;
  return withLock('build', async () => {
    const why = whyToBuild();
    if (!why) return false;
    await build(why);
    return true;
  });
}

/** @returns true if the present build is as new as the sources */
export function isBuilt() {
  return !whyToBuild();
}

/** @returns the folder of the present build, which stays while this process lives */
export function claimBuild() {
  for (;;) {
    const folder = realpathSync(LINK);
    // A process that replaced the build before our claim existed may be removing it by now.
    if (claim(folder, self()) && folder === realpathSync(LINK)) return folder;
  }
}

/**
 * Keeps a build while the process lives.
 * @returns true if the build was still there
 */
export function claim(folder, identity) {
  try {
    writeFileSync(join(usersOf(basename(folder)), identity), '');
    return true;
  } catch (error) {
    if (error.code === 'ENOENT') return false;
    throw error;
  }
}

/** Makes build/<id>/ and its record; this process uses it. */
export function prepareFolder(name) {
  mkdirSync(RECORDS, { recursive: true });
  const folder = mkdtempSync(join('build', `${name}-`));
  const id = basename(folder);
  mkdirSync(usersOf(id), { recursive: true });
  claim(folder, self());
  const settings = {
    extends: '../../../tsconfig.build.json',
    compilerOptions: { outDir: `../../${id}` },
    include: ['../../../apps/*/src', '../../../libs/*/src'],
    exclude: ['../../../**/*.spec.ts', '../../../apps/gateway/src/page/browser'],
  };
  writeFileSync(settingsOf(folder), JSON.stringify(settings));
  return folder;
}

/** Path of the compiler's settings for a folder. */
export function settingsOf(folder) {
  return join(RECORDS, basename(folder), 'tsconfig.json');
}

/** Removes builds that no live process uses. */
export function removeOldBuilds() {
  return withLock('build', removeIdle);
}

export function removeFolder(folder) {
  rmSync(folder, { recursive: true, force: true });
  rmSync(join(RECORDS, basename(folder)), { recursive: true, force: true });
}

/** Why the present build does not do; undefined when it does. */
function whyToBuild() {
  if (!existsSync(join(LINK, ENTRY))) return 'there is no build yet';
  const path = digestOf(basename(realpathSync(LINK)));
  if (!existsSync(path)) return 'the sources of the present build are not known';
  return readFileSync(path, 'utf8') === inputsDigest()
    ? undefined
    : 'sources have changed since the last build';
}

async function build(why) {
  const digest = inputsDigest();
  const folder = prepareFolder(new Date().toISOString().replace(/\D/g, '').slice(0, 14));
  try {
    await withProgress({ doing: `building: ${why}`, done: `built ${folder}` }, () => compile(folder));
    writeFileSync(digestOf(basename(folder)), digest);
    publish(folder);
  } catch (error) {
    removeFolder(folder);
    throw error;
  }
  removeIdle();
}

async function compile(folder) {
  const { code, output } = await run(
    [process.execPath, NEST, 'build', 'gateway', '--path', settingsOf(folder)],
    { isQuiet: true },
  );
  if (code !== 0) show(output);
  if (code !== 0) throw new Failure('the build failed; the one before it stays.', 'mend the errors above.');
  if (!existsSync(join(folder, ENTRY)))
    throw new Failure('the build failed: there is no apps/gateway/src/main.ts.');
  await completePage(folder);
}

/** The bundler is loaded when it is needed: it may have to be installed first. */
export async function completePage(folder) {
  const { bundlePage } = await import('./page-bundle.mjs');
  await bundlePage(folder);
}

function publish(folder) {
  const next = join('build', `.next-${basename(folder)}`);
  symlinkSync(folder, next);
  try {
    renameSync(next, LINK);
  } catch (error) {
    if (!['EISDIR', 'ENOTEMPTY', 'EEXIST'].includes(error.code)) throw error;
    // A plain "nest build" left a real folder.
    renameSync(LINK, join('build', `replaced-${basename(folder)}`));
    renameSync(next, LINK);
  }
}

function removeIdle() {
  const current = existsSync(LINK) ? basename(realpathSync(LINK)) : undefined;
  const idle = readdirSync('build').filter((id) => !id.startsWith('.') && id !== current && !isUsed(id));
  const spare = idle.filter((id) => existsSync(digestOf(id))).slice(-SPARE_BUILDS);
  for (const id of idle) if (!spare.includes(id)) removeFolder(join('build', id));
}

function isUsed(id) {
  return existsSync(usersOf(id)) && readdirSync(usersOf(id)).some(isAlive);
}

function digestOf(id) {
  return join(RECORDS, id, 'inputs');
}

function usersOf(id) {
  return join(RECORDS, id, 'users');
}
