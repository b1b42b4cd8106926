import { GatewayError } from './gateway-error.js';

/**
 * How far a failed call to the engine came. `unavailable`: nothing was done. `unknown`: no answer came, it may have
 * been done. `failed`: the engine answered with an error, it may have been done all the same.
 */
export type EngineOutcome = 'unavailable' | 'unknown' | 'failed';

/** A failure of the engine, as the libraries that speak to it throw it. */
export interface EngineFailure extends Error {
  readonly outcome: EngineOutcome;
  /** The reason, if a client may know it; undefined if the engine is out of reach. */
  readonly reason?: string | undefined;
}

/** Names of the classes of these failures; this library knows no engine. */
const FAILURES = new Set(['StoreError', 'RedisError']);

function isEngineFailure(thrown: unknown): thrown is EngineFailure {
  return thrown instanceof Error && FAILURES.has(thrown.name);
}

/** Tells a failure of the engine, which passes, from a bug of this process. */
export function isEngineError(thrown: unknown): thrown is Error {
  if (thrown instanceof GatewayError) return thrown.code === 'unavailable';
  return isEngineFailure(thrown);
}

/** The error for a client while the engine keeps something from being done. */
export function engineUnavailable(cause?: unknown): GatewayError {
  const { reason = 'the engine is out of reach' } = (cause ?? {}) as Partial<EngineFailure>;
  return new GatewayError('unavailable', reason, { cause });
}

/** Turns the failure of a read into a client's error: the engine's become `unavailable`, others stay as they are. */
export function toReadError(thrown: unknown): unknown {
  return isEngineFailure(thrown) ? engineUnavailable(thrown) : thrown;
}

/** Reads; a failure becomes what {@link toReadError} makes of it. */
export async function withReadErrors<T>(read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw toReadError(error);
  }
}

/** Turns the failure of a write into the error that a feature gets; a failure of the script itself stays as it is. */
export function toWriteError(thrown: unknown): unknown {
  if (!isEngineFailure(thrown) || thrown.outcome === 'failed') return thrown;
  if (thrown.outcome === 'unavailable') return engineUnavailable(thrown);
  return new GatewayError('unknown_outcome', 'the engine did not answer in time', { cause: thrown });
}
