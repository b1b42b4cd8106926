import type { DocumentsJson, HistoryReset, RoomStart } from '@wss/core';
import { encodeEventJson, type Position } from '@wss/protocol';

/** Encodes the `$reset` frame. */
export function encodeReset(
  room: string,
  { reason, position, lost, documents }: Omit<HistoryReset, 'reason' | 'gate'> & { readonly reason: string },
  applied?: number,
): string {
  const head = JSON.stringify({ reason, ...position, lost: lost ?? null, applied: applied ?? null });
  return encodeEventJson('"$reset"', `${head.slice(0, -1)},"documents":${encodeDocuments(documents)}}`, room);
}

/** Encodes the `$epoch` frame of a new epoch. */
export function encodeEpoch(room: string, position: Position, n?: number): string {
  return encodeEventJson('"$epoch"', JSON.stringify(n === undefined ? position : { ...position, n }), room);
}

/** Encodes the `$epoch` frame with the position up to which the room's log survives every failover. */
export function encodeDurable(room: string, position: Position): string {
  return encodeEventJson('"$epoch"', JSON.stringify({ ...position, durable: position.seq }), room);
}

/** Encodes the `$reset` frame of a deletion, which took effect at this position. */
export function encodeDeletion(room: string, { epoch, seq }: Position): string {
  return encodeReset(room, { reason: 'deleted', position: { epoch, seq }, documents: new Map() });
}

/** Encodes the `$removed` frame, which stands in the room's log for those whose membership ends. */
export function encodeRemoved(
  room: string,
  { seq, reason }: { readonly seq: number; readonly reason: string },
): string {
  return `{"event":"$removed","room":${JSON.stringify(room)},"seq":${seq},"data":${JSON.stringify({ reason })}}`;
}

/** Encodes the reply to `$join`. */
export function encodeStart(start: RoomStart, n: number | undefined): string {
  const { position, recovered, reason, lost, documents } = start;
  const missed = recovered ? start.missed : 0;
  const head = JSON.stringify({ ...position, recovered, missed, n, reason, lost });
  return documents ? `${head.slice(0, -1)},"documents":${encodeDocuments(documents)}}` : head;
}

/** Encodes documents as clients see them, without parsing their values. */
function encodeDocuments(documents: DocumentsJson): string {
  const parts = [...documents].map(
    ([name, { version, json }]) => `${JSON.stringify(name)}:{"version":${version},"value":${json}}`,
  );
  return `{${parts.join(',')}}`;
}
