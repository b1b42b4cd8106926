import { RedisError } from '@wss/redis';
import { StoreError, UnknownFormat } from './room-store.js';

/** Turns an error of Redis into one for a store's caller. Any other error is a bug of ours, and stays as it is. */
export function toStoreError(error: unknown): unknown {
  const newer =
    error instanceof RedisError &&
    /^NEWFORMAT a newer release keeps (.*) in another form$/.exec(error.message);
  if (newer) return new UnknownFormat(newer[1]!, { cause: error });
  if (!(error instanceof RedisError)) return error;
  return new StoreError(error.outcome, error.message, { cause: error });
}
