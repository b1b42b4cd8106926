import { GatewayError } from '@wss/core';
import type { CommitEntry } from '../store/room-store.js';
import type { Work, WorkResult } from './work.js';

/** Most works in one commit. */
export const MAX_BATCH = 256;

/** A work that waits for its commit. */
export interface PendingWork {
  readonly work: Work;
  readonly resolve: (result: WorkResult) => void;
  readonly reject: (error: GatewayError) => void;
  readonly since: number;
  /** Tells it apart from every other work under a number of the node's own; absent where the client numbers it. */
  readonly mark?: string | undefined;
  tried?: boolean;
  /** An attempt's answer was lost: the final answer is the record's or `unknown_outcome` (R12). */
  unknown?: boolean;
}

/** Where a work stands that nothing was asked of the engine for. */
export const NOWHERE = { epoch: '', seq: 0 };
/** The result of a work without any effect. */
export const NOTHING = { events: [], changes: [], counters: [], outcome: { kind: 'skipped' } } as const;

/** A work's identity, without what it does. */
export function workIdentity({ room, command, deadline }: Work): Omit<Work, 'prepare'> {
  return command ? { room, command, deadline } : { room, deadline };
}

/** The work's place, taken by an error. */
export function refused(work: Work, error: GatewayError): Work {
  const prepare = (): never => {
    throw error;
  };
  return { ...workIdentity(work), prepare };
}

/** Takes an entry's number without an effect, unless the entry has taken it. */
export function withoutEffect({ lane, n, ack, fingerprint }: CommitEntry): CommitEntry {
  return { lane, n, ack, fingerprint, events: [], outcome: { kind: 'skipped' } };
}

/** The error that a work gets at last: once an attempt's answer was lost, nobody knows that it was not done (R12). */
export function finalError({ unknown }: PendingWork, error: GatewayError): GatewayError {
  if (!unknown || (error.code !== 'conflict' && error.code !== 'unavailable')) return error;
  const message = 'the answer was lost; the command may have been done';
  return new GatewayError('unknown_outcome', message, { cause: error });
}
