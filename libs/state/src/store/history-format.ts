import { RoomGate } from '@wss/core';
import { isEpoch, type LogEntry, type LostRange, type Position } from '@wss/protocol';
import { isDigits, isText, strangeReply } from '@wss/redis';
import { lostParts, splitOnce } from './commit-format.js';
import { decodeBody } from './log-format.js';
import type { RoomPart } from './room-store.js';

/** A request for a page of a room's log. */
export interface HistoryRequest {
  readonly room: string;
  /** Number of the event before which the page ends; default: it ends with the newest event. */
  readonly before?: number;
  /** Epoch from which the reader has that number; the page is empty if the room's history went on otherwise. */
  readonly epoch?: string;
  /** Most events of the page, unless a single command has more. */
  readonly events: number;
  /** Most bytes of the stored entries; a single entry may have more. */
  readonly bytes: number;
  /** As of `ResumeRequest`. */
  readonly idleTtlMs: number;
  /** As of `ResumeRequest`. */
  readonly bulk?: boolean;
}

/** A page of a room's log. */
export interface HistoryReply {
  /** The room's position now. */
  readonly position: Position;
  /** The room's gate, if memberships were ever ended. */
  readonly gate?: RoomGate;
  /**
   * Whole entries without a gap, oldest first; the last one has the last event of the page, and may have later ones.
   * Empty when `reason` is set.
   */
  readonly entries: readonly LogEntry[];
  /**
   * Number of the oldest event that the log has, as far as there is no gap below the page; one more than the room's if
   * there is none.
   */
  readonly oldest: number;
  /** Set when the reader's number belongs to a history that the room did not go on with. */
  readonly reason?: 'rolled_back' | 'unknown_epoch';
  /** With `rolled_back`: the numbers before the reader's that no longer exist. */
  readonly lost?: LostRange;
  /** As of `ResumeReply`. */
  readonly lostParts?: readonly RoomPart[];
}

/** The arguments that the head of `room_history.lua` describes, without the nonce and the last. */
export function encodeHistory({ epoch, before, events, bytes }: HistoryRequest): (string | number)[] {
  return [epoch === undefined ? '' : `=${epoch}`, before ?? '', events, bytes];
}

/**
 * Reads the reply of `room_history.lua`.
 * @throws RedisError when it is none
 */
export function decodeHistory(reply: readonly (string | number)[]): HistoryReply {
  if (!isReply(reply)) throw strangeReply();
  const [status, epoch, seq, oldest, lostFrom, lostTo] = reply;
  const [line, list] = splitOnce(String(status), '\n');
  const [mode, lost, gate] = line.split(' ');
  const entries: LogEntry[] = [];
  for (let i = reply.length - 2; i >= 6; i -= 2) {
    const id = String(reply[i]);
    entries.push(decodeBody(String(reply[i + 1]), Number(id.slice(id.indexOf('-') + 1))));
  }
  return {
    position: { epoch: String(epoch), seq: Number(seq) },
    entries,
    oldest: Number(oldest),
    ...lostParts(lost!),
    ...(gate !== undefined && { gate: RoomGate.read(gate, list) }),
    ...(mode !== 'page' && { reason: mode as 'rolled_back' | 'unknown_epoch' }),
    ...(mode === 'rolled_back' && { lost: { from: Number(lostFrom), to: Number(lostTo) } }),
  };
}

function isReply(reply: unknown): boolean {
  if (!Array.isArray(reply) || reply.length < 6 || reply.length % 2 !== 0) return false;
  const [status, epoch, seq, oldest] = reply as unknown[];
  return isText(status) && isEpoch(epoch) && isDigits(String(seq)) && isDigits(String(oldest));
}
