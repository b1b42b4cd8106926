import { statSync } from 'node:fs';
import { withLock } from './lock.mjs';
import { withProgress } from './progress.mjs';
import { Failure } from './project.mjs';
import { npm, run, show } from './run.mjs';

const NO_NETWORK =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|SOCKET_TIMEOUT|ENOTCACHED/;

/** Installs the packages of package-lock.json, unless the installation is newer than that file. */
export async function ensureInstalled() {
  if (isInstalled()) return;
  await withLock('install', async () => {
    if (!isInstalled()) await install();
  });
}

function isInstalled() {
  return modifiedMs('node_modules/.package-lock.json') >= modifiedMs('package-lock.json');
}

async function install() {
  const args = ['ci', '--include=dev', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  const told = { doing: 'installing packages (npm ci)', done: 'installed the packages' };
  const { code, errors, output } = await withProgress(told, () => run(npm(...args), { isQuiet: true }));
  if (code === 0) return;
  show(output);
  if (NO_NETWORK.test(errors)) {
    throw new Failure(
      'npm ci cannot reach the package registry.',
      'connect to the network; behind a proxy set HTTPS_PROXY, with a mirror "npm config set registry …". Then try again.',
    );
  }
  throw new Failure(`npm ci failed with code ${code}.`, 'see its message above; then try again.');
}

function modifiedMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
