import type { LogEntry, Position } from '@wss/protocol';
import { type ClosedEpoch, type ResetReason, type ResumeReply, seqOf } from '@wss/state';
import type { DocumentJson } from './room-listener.js';

/** How a client wants to begin in a room. */
export interface StartRequest {
  /** Where it stopped; without it, it begins at the live end. */
  readonly from?: Position;
  /**
   * Without a position: this many of the newest events first, rounded up to whole commands. Passed over where the
   * documents are wanted: what led to them would be applied to them twice.
   */
  readonly newest?: number;
  /** True if it wants the documents although it lost nothing. */
  readonly documents: boolean;
  /** Nobody waits for the start any more. */
  readonly signal?: AbortSignal;
}

/** Where a client begins in a room. Entries after the last one here reach it live. */
export interface RoomStart {
  /** The room's position: of the documents if there are any, else after the entries. */
  readonly position: Position;
  /** True if it goes on exactly where it stopped. */
  readonly recovered: boolean;
  /** Why it can't, and which numbers it saw that do not exist any more. */
  readonly reason?: ResetReason;
  readonly lost?: { readonly from: number; readonly to: number };
  readonly documents?: ReadonlyMap<string, DocumentJson>;
  /** Number of events up to the position that it has not seen. */
  readonly missed: number;
  /** Events to send before the live ones, or the first part of them. */
  readonly entries: readonly LogEntry[];
  /** The entries end before the live ones begin: it has to begin again from their end. */
  readonly more: boolean;
}

/** Why a position can't be continued. */
export interface LostPosition {
  readonly reason: ResetReason;
  readonly lost?: { readonly from: number; readonly to: number };
}

/** Where a room stands, and how much of it is replayed. */
interface Standing {
  readonly at: Position;
  readonly lineage: readonly ClosedEpoch[];
  /** Most events that are replayed. */
  readonly most: number;
}

/** Why a position can't be continued; nothing if all that was there since then belongs to its history. */
export function judge(from: Position, { at, lineage, most }: Standing): LostPosition | undefined {
  const limit = from.epoch === at.epoch ? at.seq : lineage.find(({ epoch }) => epoch === from.epoch)?.end;
  if (limit === undefined) return { reason: 'unknown_epoch' };
  if (from.seq > limit) return { reason: 'rolled_back', lost: { from: limit + 1, to: from.seq } };
  return at.seq - from.seq > most ? { reason: 'too_far' } : undefined;
}

/**
 * Documents as clients see them.
 * @param empty JSON of those that were never written
 */
export function viewsOf(
  documents: ResumeReply['documents'],
  empty: ReadonlyMap<string, string>,
): Map<string, DocumentJson> {
  const views = new Map<string, DocumentJson>();
  for (const [name, json] of empty) views.set(name, { version: 0, json });
  for (const [name, { position, json }] of documents) views.set(name, { version: seqOf(position), json });
  return views;
}
