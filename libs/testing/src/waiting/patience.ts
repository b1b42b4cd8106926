/** Below the time after which Jest and Vitest end a test, so that the error of a wait is seen and not theirs. */
const DEFAULT_MS = 4_000;

let patienceMs = DEFAULT_MS;

/**
 * Sets how long waits last that do not say it themselves, milliseconds; default 4,000. It says nothing of how long a
 * condition takes, and ends a test whose condition never comes true. On a slow machine call it in a set-up file, and
 * give the test runner a longer time than that.
 * @throws RangeError when it is not a positive number
 */
export function setPatience(ms: number): void {
  if (!(ms > 0)) throw new RangeError('the patience is a positive number of milliseconds');
  patienceMs = ms;
}

/** How long a wait lasts by default, milliseconds. */
export function patience(): number {
  return patienceMs;
}
