import { statSync } from 'node:fs';
import { withLock } from './lock.mjs';
import { Failure, say } from './project.mjs';
import { npm, run } from './run.mjs';

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
  say('installing packages (npm ci) …');
  const args = ['ci', '--include=dev', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  const { code, errors } = await run(npm(...args));
  if (code === 0) return;
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
