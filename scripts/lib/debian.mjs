import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { withLock } from './lock.mjs';
import { Failure, say } from './project.mjs';
import { run } from './run.mjs';

/** Makes sure that a program is there; where it is missing, installs Debian's package that has it. */
export async function ensureProgram(program, debianPackage = program) {
  if (isInPath(program)) return;
  await withLock('debian', async () => {
    if (!isInPath(program)) await install(program, debianPackage);
  });
}

export function isInPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

async function install(program, debianPackage) {
  const remedy = `install it yourself, on Debian by "sudo apt-get install ${debianPackage}"; then try again.`;
  if (!isInPath('apt-get')) throw new Failure(`${program} is missing.`, remedy);
  const asRoot = process.getuid?.() === 0 ? [] : isInPath('sudo') ? ['sudo', '-n'] : undefined;
  if (!asRoot) throw new Failure(`${program} is missing, and only root can install it.`, remedy);
  say(`installing Debian's package ${debianPackage} …`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = async (...args) => (await run([...asRoot, 'apt-get', '-qq', ...args], { env })).code === 0;
  const command = ['install', '-y', '--no-install-recommends', debianPackage];
  if ((await apt(...command)) || ((await apt('update')) && (await apt(...command)))) return;
  throw new Failure(`${debianPackage} could not be installed: no root, or no network?`, remedy);
}
