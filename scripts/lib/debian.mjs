import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { withLock } from './lock.mjs';
import { withProgress } from './progress.mjs';
import { Failure } from './project.mjs';
import { run, show } from './run.mjs';

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
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  let last;
  const apt = async (...args) =>
    (last = await run([...asRoot, 'apt-get', '-qq', ...args], { env, isQuiet: true })).code === 0;
  const command = ['install', '-y', '--no-install-recommends', debianPackage];
  const told = { doing: `installing Debian's package ${debianPackage}` };
  const isThere = await withProgress(
    told,
    async () => (await apt(...command)) || ((await apt('update')) && (await apt(...command))),
  );
  if (isThere) return;
  show(last.output);
  throw new Failure(`${debianPackage} could not be installed: no root, or no network?`, remedy);
}
