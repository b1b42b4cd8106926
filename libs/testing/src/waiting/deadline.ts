import { RunningLimit } from './running-limit.js';

/**
 * Waits for a promise, but not forever.
 *
 * @param ms how long to wait, milliseconds in which this process runs
 * @param explain makes the error of a wait that took too long; called only then
 * @throws the promise's rejection, or the explained error
 */
export async function within<T>(promise: Promise<T>, ms: number, explain: () => Error): Promise<T> {
  const limit = new RunningLimit(ms);
  const expired = limit.over.then(() => Promise.reject(explain()));
  try {
    return await Promise.race([promise, expired]);
  } finally {
    limit.stop();
  }
}
