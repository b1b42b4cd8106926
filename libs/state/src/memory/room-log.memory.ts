import { type LogEntry, lastSeq, type Position } from '@wss/protocol';
import { encodeBody } from '../store/log-format.js';
import type { MemoryRoom } from './room.memory.js';
import { type PartLimits, READ_PART, type ResumeReply, type ResumeRequest } from '../store/room-store.js';

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
  const { epoch, seq } = from!;
  const none = { entries: [], more: false, looked: false };
  const limit = epoch === at.epoch ? room.seq : room.lineage.find((past) => past.epoch === epoch)?.end;
  if (limit === undefined) return { ...none, reason: 'unknown_epoch' };
  if (seq > limit) return { ...none, reason: 'rolled_back', lost: { from: limit + 1, to: seq } };
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
