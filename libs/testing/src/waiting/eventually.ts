import { setTimeout as pause } from 'node:timers/promises';
import { within } from './deadline.js';
import { patience } from './patience.js';
import { RunningLimit } from './running-limit.js';

/** How patient {@link eventually} is. */
export interface EventuallyOptions {
  /** How long the assertion may stay false, milliseconds in which this process runs; default {@link setPatience}'s, 4,000. */
  readonly withinMs?: number;
  /** Pause between two attempts, milliseconds; default 20. */
  readonly everyMs?: number;
}

/**
 * Repeats an assertion until it holds and returns its result: for conditions that another process brings about.
 *
 * @param assertion throws, rejects or returns false as long as the condition does not hold; one attempt at a time
 * @throws Error when the time is over, with the failure of the last attempt that ended in its message and as its `cause`
 */
export async function eventually<T>(
  assertion: () => T | Promise<T>,
  { withinMs = patience(), everyMs = 20 }: EventuallyOptions = {},
): Promise<T> {
  const limit = new RunningLimit(withinMs);
  let error: unknown = UNENDED;
  try {
    for (;;) {
      const attempt = await tryOnce(assertion, Math.max(limit.left, 1));
      if ('value' in attempt) return attempt.value;
      // An attempt that the end of the time cuts off says nothing; the one before it does.
      if (attempt.error !== UNENDED) error = attempt.error;
      if (limit.left <= everyMs) throw failure(error, withinMs);
      await pause(everyMs);
    }
  } finally {
    limit.stop();
  }
}

type Attempt<T> = { readonly value: T } | { readonly error: unknown };

const UNENDED = new Error('no attempt ended');

async function tryOnce<T>(assertion: () => T | Promise<T>, withinMs: number): Promise<Attempt<T>> {
  const run = async () => assertion();
  try {
    const value = await within(run(), withinMs, () => UNENDED);
    return value === false ? { error: new Error('it is false') } : { value };
  } catch (error) {
    return { error };
  }
}

function failure(cause: unknown, withinMs: number): Error {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new Error(`not so within ${withinMs} ms: ${message}`, { cause });
}
