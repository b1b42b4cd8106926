import { readFileSync } from 'node:fs';

/** A process, distinguished from a later one with the same id if the system allows it (Linux). */
export function identify(pid) {
  return `${pid}-${startOf(pid)}`;
}

export function self() {
  return identify(process.pid);
}

export function isAlive(identity) {
  const pid = pidOf(identity);
  return exists(pid) && identify(pid) === identity;
}

export function describe(identity) {
  return `process ${pidOf(identity)}`;
}

function pidOf(identity) {
  return Number(identity.split('-')[0]);
}

function exists(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Clock ticks from boot to the start of the process; a zombie counts as gone. */
function startOf(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1).split(' ');
    return fields[0] === 'Z' ? 'gone' : fields[19];
  } catch {
    return 0;
  }
}
