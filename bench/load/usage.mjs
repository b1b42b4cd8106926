import { readdirSync, readFileSync } from 'node:fs';

/** Ticks of the kernel's clock of processor time, per second. */
const TICKS_PER_SECOND = 100;
const RSS_KIBIBYTES = /VmRSS:\s+(\d+)/;

/** A process and all that came of it: a server may be several. */
export function treeOf(pid) {
  const children = new Map();
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? fieldsOf(Number(name))?.[1] : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const pids = [pid];
  for (let i = 0; i < pids.length; i++) pids.push(...(children.get(String(pids[i])) ?? []));
  return pids;
}

/** Processor seconds that processes have used, in user mode and in the kernel. */
export function cpuOf(pids) {
  return pids.reduce((sum, pid) => {
    const fields = fieldsOf(pid);
    if (!fields) throw new Error('a server ended while it was measured');
    return sum + (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }, 0);
}

/**
 * The same from the scheduler, to the nanosecond, for what works little; the time of threads that have ended is not in
 * it.
 */
export function fineCpuOf(pids) {
  const threads = pids.flatMap((pid) =>
    readdirSync(`/proc/${pid}/task`).map((thread) => `${pid}/task/${thread}`),
  );
  const times = threads.map((thread) =>
    Number(readFileSync(`/proc/${thread}/schedstat`, 'latin1').split(' ')[0]),
  );
  return times.reduce((sum, time) => sum + time, 0) / 1e9;
}

/** Memory of processes that is in use, KiB. */
export function rssOf(pids) {
  return pids.reduce(
    (sum, pid) => sum + Number(RSS_KIBIBYTES.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]),
    0,
  );
}

/** Processor seconds that the whole machine has worked since it was started. */
export function machineCpu() {
  const [line] = readFileSync('/proc/stat', 'latin1').split('\n');
  const [user, nice, system, , , irq, softirq, steal] = line.split(/ +/).slice(1).map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}

/** The most files that a process may have open. */
export function mostFiles() {
  return Number(
    /Max open files\s+\d+\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? 1_024,
  );
}

/** The fields of a process from its state on; its name may have spaces and parentheses in it. */
function fieldsOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').pop().split(' ');
  } catch {
    return undefined;
  }
}
