import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildClient, CLIENT } from './client-package.mjs';
import { withLock } from './lock.mjs';
import { buildNestPackage, NEST_PACKAGE } from './nest-package.mjs';
import { problemsOf } from './package-contents.mjs';
import { Failure } from './project.mjs';
import { npm } from './run.mjs';

/** Where the archives are. */
export const PACKAGES = 'build/packages';
/** Name of the committed list of a package's contents, beside its manifest. */
const CONTENTS = 'contents.json';

const CLIENT_STAGE = 'build/.stage/client';

/**
 * Makes both packages, and compares them with the lists of their contents.
 * @param folder gets the archives, and nothing else is in it
 * @returns of each, its name, the path of its archive and its bytes, packed and unpacked
 */
export function makePackages(folder = PACKAGES) {
  return withLock('packages', async () => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const nest = await pack(await buildNestPackage(), folder);
    check(nest, NEST_PACKAGE);
    const client = await pack(await stageClient(), folder);
    check(client, CLIENT);
    return [nest, client];
  });
}

/** Builds beside libs/client/dist, which another process may be packing. */
async function stageClient() {
  rmSync(CLIENT_STAGE, { recursive: true, force: true });
  await buildClient(join(CLIENT_STAGE, 'dist'));
  for (const path of ['package.json', 'README.md']) cpSync(join(CLIENT, path), join(CLIENT_STAGE, path));
  return CLIENT_STAGE;
}

/** Packs a folder, with our license in it. */
async function pack(folder, target) {
  cpSync('LICENSE', join(folder, 'LICENSE'));
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', target, `./${folder}`];
  const [command, ...rest] = npm(...args);
  const { stdout } = await promisify(execFile)(command, rest, { maxBuffer: 64 << 20 });
  const [{ name, filename, files, size, unpackedSize }] = JSON.parse(stdout);
  const texts = files.map(({ path }) => [path, readFileSync(join(folder, path), 'utf8')]);
  const bytes = { packed: size, unpacked: unpackedSize };
  return { name, archive: join(target, filename), files: new Map(texts), bytes };
}

function check(packed, folder) {
  const list = join(folder, CONTENTS);
  const problems = problemsOf(JSON.parse(readFileSync(list, 'utf8')), packed);
  if (problems.length === 0) return;
  const remedy = `keep it out of the package, or put it into ${list} if users need it.`;
  throw new Failure(`${packed.name} is not what ${list} says:\n  ${problems.join('\n  ')}`, remedy);
}
