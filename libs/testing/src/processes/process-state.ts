import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/**
 * Returns the state of a process: the letter that `ps` shows (`T` is stopped, `Z` is dead but not yet collected by
 * its parent), or `undefined` when there is none of this id. Slim images have no `ps`, but Linux has /proc.
 */
export async function processState(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') {
    const shown = await promisify(execFile)('ps', ['-o', 'state=', '-p', String(pid)]).catch(() => undefined);
    return shown?.stdout.trim().charAt(0);
  }
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
  return stat?.charAt(stat.lastIndexOf(')') + 2);
}
