import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { isInPath } from '../../scripts/lib/debian.mjs';

/** Servers share the first core; the generator and Redis have the second, or each one of their own. */
export const CORES = coresOf(availableParallelism());

/** A command line that keeps its process on one core; as it is where that can't be said. */
export function onCore(core, command) {
  return core === undefined ? command : ['taskset', '-c', String(core), ...command];
}

/** Moves a process that runs already. */
export function moveToCore(core, pid) {
  if (core !== undefined) execFileSync('taskset', ['-a', '-p', '-c', String(core), String(pid)]);
}

function coresOf(count) {
  if (count < 2 || !isInPath('taskset')) return {};
  return { servers: 0, generator: 1, redis: count > 2 ? 2 : 1 };
}
