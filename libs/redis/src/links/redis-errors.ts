/** How far a call to Redis came before it failed. */
export type RedisFailure =
  /** The call never left this process: nothing was done. */
  | 'unsent'
  /** The call was sent and no answer came: it may have been done. */
  | 'unknown'
  /**
   * Redis answered that it does not run the call now (out of memory, read-only, too few replicas, loading, slot
   * elsewhere, no right): nothing was done.
   */
  | 'refused'
  /** Redis answered with another error, as of a script that failed while it ran: it may have been done, in part or whole. */
  | 'failed';

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

  /** How far the call came, as far as its caller has to know. */
  get outcome(): 'unavailable' | 'unknown' | 'failed' {
    if (this.failure === 'unsent' || this.failure === 'refused') return 'unavailable';
    return this.failure;
  }
}

/**
 * The error of a call whose reply is none to what was asked, as a proxy or a driver out of step may bring: nothing is known
 * of what was done.
 */
export function strangeReply(): RedisError {
  return new RedisError('unknown', 'Redis sent a reply that is none to what was asked');
}

/** Codes with which Redis refuses a flagged script before it runs, or a command on a server that is not ready for it; and ours. */
const REFUSALS = new Set([
  'OOM',
  'READONLY',
  'NOREPLICAS',
  'MISCONF',
  'LOADING',
  'BUSY',
  'MASTERDOWN',
  'NOREPLID',
  'NEWFORMAT',
  'MOVED',
  'ASK',
  'TRYAGAIN',
  'CLUSTERDOWN',
  'NOPERM',
  'NOAUTH',
]);

/**
 * Part of each error of a script that was running: "… script: <hash>, on @user_script:<line>." of Redis 7 and 8 and
 * Valkey 7 and 8, "… script: on @user_script:<line>." of later Valkeys. An error that a script returns has no such
 * mark.
 */
const RUNNING = ' script: ';

/**
 * True if a server of a cluster refused a command because its slot is elsewhere, is about to move, or has no server
 * now. Such a refusal comes before anything is done.
 */
export function isRedirection(error: unknown): boolean {
  return error instanceof Error && /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN) /.test(error.message);
}

/** Classifies the error of a rejected ioredis call, given that the connection was ready when it was sent. */
export function toRedisError(error: unknown): RedisError {
  if (error instanceof RedisError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof Error) || error.name !== 'ReplyError') {
    return new RedisError('unknown', message, { cause: error });
  }
  const code = /^-?([A-Z]+)\b/.exec(message)?.[1] ?? '';
  // A refusal inside a running script comes in the middle of its work, whatever the code.
  const refused = REFUSALS.has(code) && !message.includes(RUNNING);
  return new RedisError(refused ? 'refused' : 'failed', message, { cause: error });
}
