import type { EngineFailure, EngineOutcome } from '@wss/core';
import { RedisError } from '@wss/redis';

/** A call to the engine failed. */
export class StoreError extends Error implements EngineFailure {
  constructor(
    readonly outcome: EngineOutcome,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'StoreError';
  }

  /** The reason, if a client may know it; undefined if the engine is out of reach. */
  get reason(): string | undefined {
    return undefined;
  }
}

/** A newer release keeps something of the room in a form that this one does not know (R41). Nothing was done. */
export class UnknownFormat extends StoreError {
  /** @param what the part that is kept in that form */
  constructor(what: string, options?: ErrorOptions) {
    super('unavailable', `a newer release keeps ${what} in another form`, options);
  }

  override get reason(): string {
    return this.message;
  }
}

/** Turns an error of Redis into one for a store's caller. Any other error is a bug of ours, and stays as it is. */
export function toStoreError(error: unknown): unknown {
  const newer =
    error instanceof RedisError &&
    /^NEWFORMAT a newer release keeps (.*) in another form$/.exec(error.message);
  if (newer) return new UnknownFormat(newer[1]!, { cause: error });
  if (!(error instanceof RedisError)) return error;
  return new StoreError(error.outcome, error.message, { cause: error });
}
