import { lossOf } from '@wss/core';
import { type LogEntry, lastSeq, type Position } from '@wss/protocol';
import { encodeBody } from '../store/log-format.js';
import type { MemoryRoom } from './room.memory.js';
import {
  type HistoryReply,
  type HistoryRequest,
  type PartLimits,
  READ_PART,
  type ResumeReply,
  type ResumeRequest,
} from '../store/room-store.js';

/** The part of a reply that comes from the log. */
export type FoundEntries = Pick<ResumeReply, 'entries' | 'more' | 'reason' | 'lost'>;

interface Found extends FoundEntries {
  /** True if the log was looked at. */
  readonly looked: boolean;
}

/** A part of the log, oldest first. */
interface Part {
  readonly entries: readonly LogEntry[];
  /** True if it ends because of its limits. */
  readonly full: boolean;
  /** True if a requested entry is not in the log any more. */
  readonly gap: boolean;
}

/** Reads the entries that a reader of a room at this position has missed, or the first part of them. */
export function readLog(room: MemoryRoom, at: Position, request: ResumeRequest): Found {
  const { from, after, newest = 0, limits = READ_PART } = request;
  if (from) return missedSince(room, at, request);
  const start = after ?? Math.max(0, room.seq - newest);
  const { entries, full } = partAfter(room, start, limits);
  return { entries, more: full, looked: start < room.seq };
}

function missedSince(room: MemoryRoom, at: Position, request: ResumeRequest): Found {
  const { from, most = 1_000, limits = READ_PART } = request;
  const { seq } = from!;
  const none = { entries: [], more: false, looked: false };
  const loss = lossOf(from!, { position: at, lineage: room.lineage });
  if (loss) return { ...none, ...loss };
  if (room.seq - seq > most) return { ...none, reason: 'too_far' };
  const { entries, full, gap } = partAfter(room, seq, limits);
  const looked = seq < room.seq;
  return gap ? { ...none, reason: 'trimmed', looked } : { entries, more: full, looked };
}

/** Returns whole entries from the one that has the event after `from`, without those before a gap. */
function partAfter(room: MemoryRoom, from: number, limits: PartLimits): Part {
  if (from >= room.seq) return { entries: [], full: false, gap: false };
  const later = room.log.filter((entry) => lastSeq(entry) > from);
  const gap = (later[0]?.first ?? Infinity) > from + 1;
  let bytes = 0;
  const end = later.findIndex((entry, index) => {
    bytes += Buffer.byteLength(encodeBody(entry));
    return index > 0 && (index === limits.entries || bytes > limits.bytes);
  });
  return end < 0 ? { entries: later, full: false, gap } : { entries: later.slice(0, end), full: true, gap };
}

/** The part of a page that comes from the log; the twin of `room_history.lua`. */
export function pageOf(
  room: MemoryRoom,
  at: Position,
  { before, epoch, events, bytes }: HistoryRequest,
): Pick<HistoryReply, 'entries' | 'oldest' | 'reason' | 'lost'> {
  const seq = (before ?? room.seq + 1) - 1;
  const none = { entries: [], oldest: room.log[0]?.first ?? room.seq + 1 };
  const loss =
    epoch === undefined ? undefined : lossOf({ epoch, seq }, { position: at, lineage: room.lineage });
  if (loss) return { ...none, ...loss };
  return { ...none, ...entriesDown(room, Math.min(seq, room.seq), { events, bytes }) };
}

/** Returns whole entries down from the one that has an event, and the first event above a gap, if there is one. */
function entriesDown(
  { log, seq: newest }: MemoryRoom,
  seq: number,
  most: Pick<HistoryRequest, 'events' | 'bytes'>,
): { entries: LogEntry[]; oldest?: number } {
  const entries: LogEntry[] = [];
  let [wanted, count, bytes] = [seq, 0, 0];
  const start = seq > 0 ? log.findIndex((entry) => lastSeq(entry) >= seq) : -1;
  if (seq > 0 && start < 0) return { entries, oldest: newest + 1 };
  for (let i = start; i >= 0 && wanted > 0; i--) {
    const entry = log[i]!;
    if (entry.first > wanted || lastSeq(entry) < wanted) {
      return { entries, oldest: Math.max(entry.first, wanted + 1) };
    }
    count += wanted - entry.first + 1;
    bytes += Buffer.byteLength(encodeBody(entry));
    if (entries.length > 0 && (count > most.events || bytes > most.bytes)) break;
    entries.unshift(entry);
    wanted = entry.first - 1;
  }
  return { entries };
}
