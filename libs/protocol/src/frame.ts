import type { ErrorCode } from './error-codes.js';

/** Names a request on its connection: an integer, or a string of at most 64 bytes. */
export type RequestId = number | string;

/** A frame from a client, checked and taken apart. */
export interface ClientFrame {
  readonly event: string;
  /** The client's data, any JSON; `undefined` if it is absent. */
  readonly data: unknown;
  /** Asks for exactly one reply. */
  readonly id?: RequestId;
  /** The room that the event concerns. */
  readonly room?: string;
  /** Number of the command in its session and room, from 1; it takes effect exactly once and in this order. */
  readonly n?: number;
  /** The highest number for which this reply and all earlier ones have arrived. */
  readonly ack?: number;
  /** Epoch of the last reply to a numbered command in this room. */
  readonly epoch?: string;
}

/** One rule that the client's data broke. Never holds the value itself. */
export interface ErrorDetail {
  /** Where, e.g. `cards.0.title`. */
  readonly path?: string;
  /** The rule, in words. */
  readonly message?: string;
  /** With `out_of_order`: the number to send next. */
  readonly expected?: number;
  /** With an error that may be retried: how long to wait before the retry, ms. */
  readonly retryInMs?: number;
}

/** An error as the client sees it. */
export interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: readonly ErrorDetail[];
  /** True if sending the same command again may help. */
  readonly retry: boolean;
  /** With `unknown_outcome`: the command took effect; only its durability is unknown. */
  readonly applied?: boolean;
}

/** Place at which a numbered command took effect; sent beside its reply. */
export interface ReplyPosition {
  /** Sequence number in the room's log at which the command took effect. */
  readonly seq?: number;
  /** Epoch of that sequence number; the client sends it with its next numbered command. */
  readonly epoch?: string;
  /** The command had been applied before; this is its recorded answer. */
  readonly dup?: boolean;
}

/** A point in a room's history: sequence numbers are comparable within an epoch only. */
export interface Position {
  /** Opaque to clients. */
  readonly epoch: string;
  /** Number of the last event; 0 before the first. */
  readonly seq: number;
}

/** Reason for which a position can't be continued. */
export type ResetReason = 'trimmed' | 'rolled_back' | 'unknown_epoch' | 'too_far';

/** Numbers that a client saw and that do not exist any more. */
export interface LostRange {
  readonly from: number;
  readonly to: number;
}

/** An event whose two parts are JSON already, so that it is encoded only once. */
export interface EncodedEvent {
  /** The event's name as a JSON string, quotes included. */
  readonly event: string;
  /** The event's data as JSON. */
  readonly data: string;
}

/** The end of memberships of a room, as it stands in the room's log (R38). */
export interface Ending {
  /** The user whose memberships end; with neither a user nor a session, everybody's do. */
  readonly user?: string;
  /** The session whose membership ends. */
  readonly session?: string;
  /** The members concerned are told; '' if none was given. */
  readonly reason: string;
  /** The room is deleted with it (R36); then it concerns everybody. */
  readonly deleted?: true;
}

/** The events of one command in a room's log. Entries are read, replayed and trimmed whole. */
export interface LogEntry {
  /** Sequence number of the first event; the others follow without a gap. */
  readonly first: number;
  /** At least one event. */
  readonly events: readonly EncodedEvent[];
  /**
   * JSON object from document name to `{base, ops}`: the version that the patch applies to and its operations
   * (RFC 6902). Belongs to the last event. A base may be written as a distance back from the last event's number,
   * "\x03<distance>\x04", because numbers are not known when the patch is made.
   */
  readonly patch?: string;
  /** Ends memberships. Other members see the entry's one event; the ending itself is never part of a frame. */
  readonly ending?: Ending;
}

/** A room's document as clients see it. */
export interface DocumentView {
  /** Sequence number of the last event of the command that last changed it; 0 if never written. */
  readonly version: number;
  readonly value: unknown;
}

/** Sequence number of an entry's last event. */
export function lastSeq(entry: LogEntry): number {
  return entry.first + entry.events.length - 1;
}
