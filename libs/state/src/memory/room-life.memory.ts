import { randomBytes } from 'node:crypto';
import { lastSeq } from '@wss/protocol';
import { epochNumber, seqOf } from '../store/log-format.js';
import { type CommitRequest, type RoomPart, UNUSED_MS } from '../store/room-store.js';
import type { MemoryEngine } from './engine.memory.js';
import { expire, holdRoom, type MemoryRoom, moveEnd, PARTS, partsOf } from './room.memory.js';

const LINEAGE = 64;
/** How long the other parts of a room are kept at least without a meta. */
const FOUND_MS = 1_000;
/** How long it is known that a room was deleted: as long as a session that was a member may come back, and an hour. */
const STUB_MS = 90_000_000;

/** Finds the history and the life that a room is in; the twin of `room.lua` and `room_life.lua`. */
export class MemoryRoomLife {
  readonly room: MemoryRoom;
  /** Parts that this call declared lost. */
  lost: RoomPart[] = [];

  private readonly now: number;
  private complete = false;

  /** Opens the room on the current history, without its expired parts. */
  constructor(
    private readonly engine: MemoryEngine,
    name: string,
    private readonly idleTtlMs: number,
  ) {
    this.now = engine.now();
    this.room = engine.room(name);
    expire(this.room, this.now);
    this.open();
  }

  /** Lets a room live this long from now, unless it has ended. */
  static keep(engine: MemoryEngine, name: string, idleTtlMs: number): void {
    const room = engine.known(name);
    const now = engine.now();
    if (!room?.nonce || room.expiresAt <= now) return;
    if (idleTtlMs > 0) moveEnd(room, now + idleTtlMs, now);
    else if (room.expiresAt < Infinity) moveEnd(room, room.seq === 0 ? now + UNUSED_MS : Infinity, now);
  }

  /**
   * Declares parts lost that were written, are absent and have not expired. It is called where a read found nothing.
   */
  findLost(): void {
    if (this.complete) return;
    this.complete = true;
    const { room, now } = this;
    if (room.expiresAt <= now) return;
    const there = partsOf(room);
    const lost = PARTS.filter(
      (part) =>
        room.written.has(part) && !there.includes(part) && !(part === 'log' && room.logExpiresAt <= now),
    );
    if (lost.length === 0) return;
    this.lost = lost;
    this.restart();
    this.setWritten();
  }

  /**
   * Notes what a commit wrote.
   * @param moves true if the ends move with it
   */
  wrote({ history, idleTtlMs }: CommitRequest, moves: boolean): void {
    const { room, now } = this;
    if (moves) {
      room.logExpiresAt = now + history.ttlMs;
      moveEnd(room, idleTtlMs > 0 ? now + idleTtlMs : Infinity, now);
    }
    for (const part of partsOf(room)) room.written.add(part);
  }

  /** Deletes the room behind its last event: all but records goes, and the next life begins, marked as deleted. */
  delete(): void {
    const { room, now } = this;
    room.log.length = 0;
    room.documents.clear();
    room.counters.clear();
    this.beginLife();
    room.deleted = true;
    holdRoom(room, now + STUB_MS);
  }

  private open(): void {
    const { room, now, engine } = this;
    if (!room.nonce) this.make();
    else if (room.expiresAt <= now) this.beginLife();
    else if (room.replicationId !== engine.replicationId) this.openEpoch();
  }

  /** Parts without a meta have lost theirs. */
  private make(): void {
    const { room, now, idleTtlMs } = this;
    if (partsOf(room).length === 0) return this.begin();
    this.lost = ['meta'];
    const positions = [...room.documents.values()].map(({ position }) => position);
    room.seq = Math.max(0, ...positions.map(seqOf));
    room.number = Math.max(0, ...positions.map(epochNumber));
    this.restart();
    this.setWritten();
    moveEnd(room, idleTtlMs > 0 ? now + Math.max(idleTtlMs, FOUND_MS) : Infinity, now);
  }

  private beginLife(): void {
    this.room.life++;
    this.begin();
  }

  private begin(): void {
    this.restart();
    this.room.written.clear();
    this.room.logExpiresAt = Infinity;
    moveEnd(this.room, this.now + (this.idleTtlMs || UNUSED_MS), this.now);
  }

  /** Opens an epoch that no older position belongs to. */
  private restart(): void {
    this.complete = true;
    this.room.queue.length = 0;
    this.openEpoch(true);
  }

  /** @param cut true if no earlier position can be continued, as when the log holds a half-written commit */
  openEpoch(cut = false): void {
    const { room, now, engine } = this;
    if (isWrittenInPart(room)) {
      room.seq = lastSeq(room.log.at(-1)!);
      cut = true;
    }
    if (cut) room.lineage = [];
    else room.lineage.unshift({ epoch: `${room.number}.${room.nonce}`, end: room.seq });
    room.lineage.length = Math.min(room.lineage.length, LINEAGE);
    room.number = Math.max(room.number + 1, Math.floor(now / 1_000));
    room.nonce = randomBytes(6).toString('base64url');
    room.replicationId = engine.replicationId;
    room.birth ||= room.nonce;
  }

  private setWritten(): void {
    this.room.written.clear();
    for (const part of partsOf(this.room)) this.room.written.add(part);
  }
}

/** A log that ends beyond the room's number holds a half-written commit (R35). */
export function isWrittenInPart({ log, seq }: MemoryRoom): boolean {
  const last = log.at(-1);
  return last !== undefined && lastSeq(last) > seq;
}
