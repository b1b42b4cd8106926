import type { LogEntry } from '@wss/protocol';
import type { CommandRecord, CommitLane, RoomPart } from '../store/room-store.js';
import { MemoryTable } from './table.memory.js';

/** How long the record of a node's lane is kept, ms. */
export const NODE_LANE_MS = 900_000;
/** How long a record is kept beyond the end of its lane, ms. */
export const RECORD_GRACE_MS = 3_600_000;
/** The parts of a room besides its meta. */
export const PARTS = ['documents', 'log', 'counters'] as const;

/** Record of one lane's numbered commands. */
export interface MemoryLane {
  highest: number;
  ack: number;
  generation: number;
  birth: string;
  expiresAt: number;
  readonly records: Map<number, CommandRecord>;
}

/** One room, as the Lua scripts keep it in Redis. */
export interface MemoryRoom {
  seq: number;
  number: number;
  nonce: string;
  replicationId: string;
  birth: string;
  /** Its writer queue; the first node has been called. */
  queue: string[];
  /** Number of endings before, and one. */
  life: number;
  /** True if the life began with a deletion and was not used. */
  deleted: boolean;
  /** When the idle room ends, ms since 1970. */
  expiresAt: number;
  logExpiresAt: number;
  /** When the room's meta expires; no earlier than {@link expiresAt}. */
  metaExpiresAt: number;
  /** Time until which records name its birth. */
  namedUntil: number;
  /** Parts that were written in this life. */
  readonly written: Set<RoomPart>;
  /** Position of the last ending of memberships; '' if there is none (R38). */
  gate: string;
  /** See `RoomGate.list`. */
  endings: string;
  /** Newest first. */
  lineage: { epoch: string; end: number }[];
  log: LogEntry[];
  readonly documents: Map<string, { position: string; json: string }>;
  readonly counters: Map<string, number>;
  readonly lanes: Map<string, MemoryLane>;
  /** Lanes of keys that take effect once; they may be over, see {@link expireKeys}. */
  readonly onces: Map<string, MemoryLane>;
}

/** Rooms by name. */
export class RoomTable extends MemoryTable<MemoryRoom> {
  readonly name = 'rooms';
  override readonly isReplicated = true;
}

/** Notes that a record names the room's birth until this time. */
export function holdRoom(room: MemoryRoom, until: number): void {
  room.namedUntil = Math.max(room.namedUntil, until);
  room.metaExpiresAt = Math.max(room.metaExpiresAt, until);
}

/** An unknown room. */
export function emptyRoom(): MemoryRoom {
  return {
    ...emptyMeta(),
    log: [],
    queue: [],
    expiresAt: Infinity,
    logExpiresAt: Infinity,
    written: new Set(),
    documents: new Map(),
    counters: new Map(),
    lanes: new Map(),
    onces: new Map(),
  };
}

/** Forgets everything known of a room, as if its meta did not exist. */
export function forgetMeta(room: MemoryRoom): void {
  Object.assign(room, emptyMeta());
  room.queue.length = 0;
  room.written.clear();
}

function emptyMeta() {
  return {
    seq: 0,
    number: 0,
    nonce: '',
    replicationId: '',
    birth: '',
    life: 1,
    deleted: false,
    metaExpiresAt: Infinity,
    namedUntil: 0,
    gate: '',
    endings: '',
    lineage: [] as MemoryRoom['lineage'],
  };
}

export function partsOf(room: MemoryRoom): (typeof PARTS)[number][] {
  return PARTS.filter((part) => (part === 'log' ? room.log.length > 0 : room[part].size > 0));
}

export function moveEnd(room: MemoryRoom, expiresAt: number, now: number): void {
  room.expiresAt = expiresAt;
  room.metaExpiresAt = Math.max(expiresAt, room.namedUntil, now + NODE_LANE_MS);
}

/** Drops the expired parts of a room. */
export function expire(room: MemoryRoom, now: number): void {
  if (room.metaExpiresAt <= now) forgetMeta(room);
  if (room.expiresAt <= now) {
    room.documents.clear();
    room.counters.clear();
  }
  if (Math.min(room.expiresAt, room.logExpiresAt) <= now) room.log.length = 0;
  for (const [id, lane] of room.lanes) if (lane.expiresAt <= now) room.lanes.delete(id);
}

/** Drops the expired keys that take effect once; there may be many, so it is done only where they count. */
export function expireKeys({ onces }: MemoryRoom, now: number): void {
  for (const [id, lane] of onces) if (lane.expiresAt <= now) onces.delete(id);
}

/** The lanes of a room among which this one is. */
export function lanesWith(room: MemoryRoom, { once }: CommitLane): Map<string, MemoryLane> {
  return once ? room.onces : room.lanes;
}

/** True if nothing is left of a room, so that it may be forgotten. */
export function isGone(room: MemoryRoom): boolean {
  return !room.nonce && room.lanes.size === 0 && room.onces.size === 0 && partsOf(room).length === 0;
}
