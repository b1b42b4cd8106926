import type { LostRange, Position } from '@wss/protocol';

/** The reason why a position does not belong to a room's history, and what is lost with it. */
export interface LostPosition {
  readonly reason: 'rolled_back' | 'unknown_epoch';
  /** With `rolled_back`: the numbers up to the position that no longer exist. */
  readonly lost?: LostRange;
}

/** Where a room is, and how it came there. */
export interface RoomPast {
  readonly position: Position;
  /** Epochs that the room went on from, each with its last event that survived. */
  readonly lineage: readonly { readonly epoch: string; readonly end: number }[];
}

/** Returns the reason why a position does not belong to a room's history; undefined if it does. */
export function lossOf(from: Position, { position, lineage }: RoomPast): LostPosition | undefined {
  const { epoch, seq } = position;
  const limit = from.epoch === epoch ? seq : lineage.find((closed) => closed.epoch === from.epoch)?.end;
  if (limit === undefined) return { reason: 'unknown_epoch' };
  if (from.seq > limit) return { reason: 'rolled_back', lost: { from: limit + 1, to: from.seq } };
  return undefined;
}
