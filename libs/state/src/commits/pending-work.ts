import {
  type Command,
  type CommandNumber,
  gatePosition,
  GatewayError,
  membershipEnded,
  membershipUnknown,
  type RoomGate,
} from '@wss/core';
import type { CommitEntry } from '../store/room-store.js';
import type { Work, WorkResult } from './work.js';

/** Largest number of works in one commit. */
export const MAX_BATCH = 256;

/** A work that waits for its commit. */
export interface PendingWork {
  work: Work;
  readonly resolve: (result: WorkResult) => void;
  readonly reject: (error: GatewayError) => void;
  readonly since: number;
  /** Distinguishes it from every other work in the node's own lane; absent if the client numbers it. */
  readonly mark?: string | undefined;
  tried?: boolean;
  /** True if an attempt's answer was lost: the final answer is the record's or `unknown_outcome` (R12). */
  unknown?: boolean;
}

/** The position of a work that did not need the engine. */
export const NOWHERE = { epoch: '', seq: 0 };
/** The result of a work without any effect. */
export const NOTHING = { events: [], changes: [], counters: [], outcome: { kind: 'skipped' } } as const;

/**
 * Takes the works of the next commit out of the queue. An ending of memberships is the last one: works behind it are
 * judged by it (R38).
 * @param limit largest number of works
 */
export function takeBatch(queue: PendingWork[], limit: number): PendingWork[] {
  const end = queue.findIndex(({ work }) => work.ends);
  return queue.splice(0, end < 0 ? limit : Math.min(limit, end + 1));
}

/** The number that stays open if the work is refused; undefined if no client numbered it. */
export function numberOf({ work: { command, payer } }: PendingWork): CommandNumber | undefined {
  return (command ?? payer)?.number;
}

/** The error for a work whose sender is not a member any more. */
export function endOf({ work: { command } }: PendingWork, gate: RoomGate): GatewayError | undefined {
  if (!command?.membership || gate.at === '') return undefined;
  const { session, heldUntil } = command.membership;
  const since = heldUntil ? gatePosition(heldUntil) : '';
  const end = gate.endOf({ user: command.user, session }, since);
  return end && (end === 'unknown' ? membershipUnknown() : membershipEnded(end));
}

/** A work's identity and rights, without what it does. */
export function workIdentity({ room, command, once, creates, deadline }: Work): Omit<Work, 'prepare'> {
  return command ? { room, command, deadline } : { room, once, creates, deadline };
}

/** Finds the record of a numbered command. */
export function findWork(command: Command): Work {
  return { room: command.room!, command, finds: true, deadline: command.deadline, prepare: () => NOTHING };
}

/** Finds the record of a work's key. */
export function findKeyWork(work: Work): Work {
  return { ...workIdentity(work), finds: true, prepare: () => NOTHING };
}

/** Returns a work that takes the place of another with an error. */
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

/** The final error of a work: once an attempt's answer was lost, it is unknown if the work was done (R12). */
export function finalError({ unknown }: PendingWork, error: GatewayError): GatewayError {
  if (!unknown || (error.code !== 'conflict' && error.code !== 'unavailable')) return error;
  const message = 'the answer was lost; the command may have been done';
  return new GatewayError('unknown_outcome', message, { cause: error });
}
