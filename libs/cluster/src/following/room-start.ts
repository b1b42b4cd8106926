import type { DocumentJson } from '@wss/core';
import type { LostRange, Position, ResetReason } from '@wss/protocol';
import { type ResumeReply, seqOf } from '@wss/state';
import type { RoomStanding } from './room-standing.js';

/** The reason why a position can't be continued, and what is lost with it. */
export interface LostPosition {
  readonly reason: ResetReason;
  readonly lost?: LostRange;
}

/**
 * Returns the reason for which a position can't be continued; undefined if everything since then belongs to its
 * history.
 * @param most events that are replayed at most
 */
export function lossOf(
  from: Position,
  { position, lineage }: Pick<RoomStanding, 'position' | 'lineage'>,
  most: number,
): LostPosition | undefined {
  const { epoch, seq } = position;
  const limit = from.epoch === epoch ? seq : lineage.find((closed) => closed.epoch === from.epoch)?.end;
  if (limit === undefined) return { reason: 'unknown_epoch' };
  if (from.seq > limit) return { reason: 'rolled_back', lost: { from: limit + 1, to: from.seq } };
  return seq - from.seq > most ? { reason: 'too_far' } : undefined;
}

/**
 * Shows documents as clients see them.
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
