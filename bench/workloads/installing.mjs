import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from '../../scripts/lib/lock.mjs';
import { withProgress } from '../../scripts/lib/progress.mjs';
import { Failure } from '../../scripts/lib/project.mjs';
import { npm, run, show } from '../../scripts/lib/run.mjs';

const PEERS = fileURLToPath(new URL('../peers/', import.meta.url));
const REMEDY =
  'connect to the network (behind a proxy set HTTPS_PROXY), then try again; or compare nothing: "npm run bench -- W1 --servers wss".';

/** Installs the servers to compare with in their own folder, unless they are as new as their lock file. */
export async function ensurePeers() {
  if (isInstalled()) return;
  await withLock('bench-peers', async () => {
    if (!isInstalled()) await install();
  });
}

/** The version of a package of theirs; undefined if it is not installed. */
export function peerVersion(name) {
  try {
    return JSON.parse(readFileSync(join(PEERS, 'node_modules', name, 'package.json'), 'utf8')).version;
  } catch {
    return undefined;
  }
}

function isInstalled() {
  return modifiedMs('node_modules/.package-lock.json') >= modifiedMs('package-lock.json');
}

async function install() {
  // No package of these needs its scripts: Bun's program comes as it is.
  const args = ['ci', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  const told = { doing: 'installing the servers to compare with (npm ci in bench/peers)' };
  const options = { cwd: PEERS, isQuiet: true };
  const { code, output } = await withProgress(told, () => run(npm(...args), options));
  if (code === 0) return;
  show(output);
  throw new Failure('the servers to compare with could not be installed.', REMEDY);
}

function modifiedMs(path) {
  return statSync(join(PEERS, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
