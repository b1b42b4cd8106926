/** How far a call to Redis came before it failed. */
export type RedisFailure =
  /** It never left this process: nothing was done. */
  | 'unsent'
  /** It was sent and no answer came: it may have been done. */
  | 'unknown'
  /** Redis answered that it does not run it now (out of memory, read-only, too few replicas, loading, slot elsewhere): nothing was done. */
  | 'refused'
  /** Redis answered with an error that a retry will not cure; our scripts write nothing before they can fail. */
  | 'broken';

/** A call to Redis failed. */
export class RedisError extends Error {
  constructor(
    readonly failure: RedisFailure,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'RedisError';
  }
}

/** Codes with which Redis refuses a flagged script before it runs, or a command on a server that is not ready for it. */
const REFUSALS = new Set([
  'OOM',
  'READONLY',
  'NOREPLICAS',
  'MISCONF',
  'LOADING',
  'BUSY',
  'MASTERDOWN',
  'NOREPLID',
  'MOVED',
  'ASK',
  'TRYAGAIN',
  'CLUSTERDOWN',
]);

/**
 * Whether a server of a cluster refused a command because its slot is elsewhere, is about to move, or is served by
 * nobody now. Such a refusal comes before anything is done.
 */
export function isRedirection(error: unknown): boolean {
  return error instanceof Error && /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN) /.test(error.message);
}

/** Classifies what an ioredis call rejected with, given that the connection was ready when it was sent. */
export function toRedisError(error: unknown): RedisError {
  if (error instanceof RedisError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof Error) || error.name !== 'ReplyError') {
    return new RedisError('unknown', message, { cause: error });
  }
  // A refusal inside a script reads "ERR … script: …, OOM command not allowed" or starts with the code itself.
  const code = /^(?:-)?([A-Z]+)\b/.exec(message)?.[1] ?? '';
  const refused = REFUSALS.has(code) || [...REFUSALS].some((word) => message.includes(`-${word} `));
  return new RedisError(refused ? 'refused' : 'broken', message, { cause: error });
}
