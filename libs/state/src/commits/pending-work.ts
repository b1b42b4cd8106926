import { engineUnavailable, GatewayError, type RoomEvents } from '@wss/core';
import type { CommittedListener } from './committed-entries.js';
import type { GivenUp } from './commit-attempts.js';
import type { EngineTime } from './engine-time.js';
import type { CallChannels, QueuePlace } from './writer-queue.js';
import type { CommitEntry, RoomStore, Verdict } from '../store/room-store.js';
import type { Work, WorkResult } from './work.js';

/** Most works in one commit. */
export const MAX_BATCH = 256;

/** The settings of a room's type that the committer needs. */
export interface RoomLimits {
  readonly history: { readonly events: number; readonly ttlMs: number };
  readonly idleTtlMs: number;
  readonly durable?: boolean;
  readonly events?: RoomEvents;
}

/** Settings that all committers of a node share. */
export interface CommitterContext {
  readonly store: RoomStore;
  readonly nodeId: string;
  /** Where nodes call each other to write a room; without them they try until they succeed. */
  readonly channels?: CallChannels;
  /** How long a commit is tried against an engine that does not answer, ms. */
  readonly patienceMs: number;
  readonly now: () => number;
  /** The engine's clock. */
  readonly time: EngineTime;
  readonly onCommitted: CommittedListener;
  readonly limitsOf: (room: string) => RoomLimits;
  isClosed(): boolean;
}

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
/** The verdict on a work that writes nothing. */
export const OK: Verdict = { kind: 'ok' };
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

/** Of a number of the node's own: whether it, or its record, is not that of the work that wanted it. */
export function isForeign(verdict: Verdict): boolean {
  const { kind } = verdict;
  if (kind === 'duplicate') return !verdict.record;
  return kind === 'reused' || kind === 'out_of_order' || kind === 'expired';
}

/**
 * How many of a batch can be judged now. A number that stands twice in it, and a counter that would leave its bounds
 * after others of the batch changed it, can be judged only when what comes before is written: they wait for the next
 * batch but one, with all that follows them.
 */
export function certain(verdicts: readonly Verdict[]): number {
  const first = verdicts.findIndex(({ kind }, index) => kind === 'later' || (kind === 'bound' && index > 0));
  return first < 0 ? verdicts.length : first;
}

/** The error for the works of a commit that was given up. */
export function failureOf({ error, absent, underWay }: GivenUp): GatewayError {
  return absent && !underWay
    ? new GatewayError('internal', 'internal error', { cause: error, unrecorded: true })
    : engineUnavailable(error);
}

/** The error that a work gets at last: once an attempt's answer was lost, nobody knows that it was not done (R12). */
export function finalError({ unknown }: PendingWork, error: GatewayError): GatewayError {
  if (!unknown || (error.code !== 'conflict' && error.code !== 'unavailable')) return error;
  const message = 'the answer was lost; the command may have been done';
  return new GatewayError('unknown_outcome', message, { cause: error });
}

/** This node's place in the queue of those that write a room; nothing without channels. */
export function placeOf(room: string, { store, nodeId, channels }: CommitterContext): QueuePlace | undefined {
  if (!channels) return undefined;
  const leave = (): void => {
    // Where that fails, the next node goes ahead by itself.
    store.leaveQueue(room, nodeId).catch(() => undefined);
  };
  return { channels, channel: store.callChannel(room, nodeId), leave };
}
