import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { type LogEntry, lastSeq, type Position } from '@wss/protocol';
import { epochNumber, type ResumeReply, type RoomStore, seqOf } from '@wss/state';
import type { RoomListener } from './room-listener.js';

/** How long a hole below this node's own commit is left to the subscription before it is read, ms (R18). */
const OWN_HOLE_MS = 50;
/** Closed epochs of a room that a node remembers. */
const MAX_CLOSED = 64;

interface Arrival {
  readonly epoch: string;
  readonly entries: readonly LogEntry[];
}

/**
 * One room as this node follows it: every entry is delivered once and in order, whichever way it came — as the
 * answer to a commit of this node, over the channel, or read from the log after a gap.
 */
export class FollowedRoom {
  private readonly logger = new Logger('RoomFeed');
  private at?: Position;
  private readonly closed = new Set<string>();
  /** Entries that came too early, by their first number; and all that came while the room was being read. */
  private early = new Map<number, LogEntry>();
  private arrivals: Arrival[] = [];
  private reading = true;
  private stopped = false;
  private holeTimer?: NodeJS.Timeout;

  constructor(
    private readonly room: string,
    private readonly store: RoomStore,
    private readonly listener: RoomListener,
  ) {}

  /** Last position that was delivered; only after {@link start}. */
  get position(): Position {
    return this.at!;
  }

  /** Reads where the room stands; call it when the subscription is confirmed. */
  async start(): Promise<void> {
    const { position } = await this.store.resume({ room: this.room });
    this.at = position;
    this.readingDone();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.holeTimer);
  }

  /** Whether everything up to this point was delivered already. */
  has(epoch: string, last: number): boolean {
    return !this.reading && epoch === this.at!.epoch && last <= this.at!.seq;
  }

  /** Takes entries that this node committed (`own`) or heard of. */
  accept(epoch: string, entries: readonly LogEntry[], own: boolean): void {
    if (this.reading) {
      this.arrivals.push({ epoch, entries });
      return;
    }
    if (epoch !== this.at!.epoch) {
      // A number alone proves nothing: only an epoch that was seen to be closed may be ignored (R14).
      if (!this.closed.has(epoch)) this.repair();
      return;
    }
    for (const entry of entries) if (lastSeq(entry) > this.at!.seq) this.early.set(entry.first, entry);
    this.deliverReady();
    if (this.early.size === 0) return;
    if (!own) this.repair();
    else this.holeTimer ??= setTimeout(() => this.repair(), OWN_HOLE_MS);
  }

  /** Reads what is missing, if anything is, and delivers it in order. */
  repair(): void {
    if (this.reading || this.stopped) return;
    this.reading = true;
    clearTimeout(this.holeTimer);
    delete this.holeTimer;
    void this.catchUp();
  }

  private async catchUp(): Promise<void> {
    for (let attempt = 0; !this.stopped; attempt++) {
      try {
        this.apply(await this.store.resume({ room: this.room, from: this.at!, documents: true }));
        return this.readingDone();
      } catch (error) {
        if (attempt === 0)
          this.logger.warn(`room ${this.room} can't be read: ${(error as Error).message}; trying on`);
        await delay(Math.min(1_000, 50 * 2 ** attempt) * (0.5 + Math.random()));
      }
    }
  }

  private apply(reply: ResumeReply): void {
    const { position, entries, reason, lost, documents } = reply;
    const before = this.at!;
    this.at = position;
    if (before.epoch !== position.epoch) this.close(before.epoch);
    if (reason) {
      const views = new Map(
        [...documents].map(([name, { position: at, json }]) => [name, { version: seqOf(at), json }]),
      );
      this.listener.reset(this.room, { reason, position, documents: views, ...(lost && { lost }) });
    }
    if (entries.length > 0) this.listener.deliver(this.room, entries);
  }

  private close(epoch: string): void {
    this.closed.add(epoch);
    if (this.closed.size > MAX_CLOSED) this.closed.delete(this.closed.values().next().value!);
  }

  private readingDone(): void {
    this.reading = false;
    const arrivals = this.arrivals;
    this.arrivals = [];
    this.early.clear();
    for (const { epoch, entries } of arrivals) {
      // What was opened before the position was read is older than it; a later epoch makes the room be read again.
      if (epochNumber(epoch) < epochNumber(this.at!.epoch)) continue;
      this.accept(epoch, entries, false);
    }
  }

  private deliverReady(): void {
    const ready: LogEntry[] = [];
    let next = this.at!.seq + 1;
    for (let entry = this.early.get(next); entry; entry = this.early.get(next)) {
      this.early.delete(next);
      ready.push(entry);
      next = lastSeq(entry) + 1;
    }
    if (ready.length === 0) return;
    this.at = { epoch: this.at!.epoch, seq: next - 1 };
    for (const first of this.early.keys()) if (first < next) this.early.delete(first);
    if (this.early.size === 0) {
      clearTimeout(this.holeTimer);
      delete this.holeTimer;
    }
    this.listener.deliver(this.room, ready);
  }
}
