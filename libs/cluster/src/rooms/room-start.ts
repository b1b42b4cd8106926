import type { DocumentJson } from '@wss/core';
import type { LostRange, Position, ResetReason } from '@wss/protocol';
import { type ClosedEpoch, type ResumeReply, seqOf } from '@wss/state';

/** Reason for which a position can't be continued. */
export interface LostPosition {
  readonly reason: ResetReason;
  readonly lost?: LostRange;
}

/** A room's position, and how much of it is replayed. */
interface Standing {
  readonly at: Position;
  readonly lineage: readonly ClosedEpoch[];
  /** Largest number of events that are replayed. */
  readonly most: number;
}

/**
 * Returns the reason for which a position can't be continued; undefined if everything since then belongs to its
 * history.
 */
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
