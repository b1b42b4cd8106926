import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { type LogEntry, lastSeq, type Position } from '@wss/protocol';
import {
  type ClosedEpoch,
  epochNumber,
  type ResumeReply,
  type RoomStore,
  type RoomTop,
  seqOf,
} from '@wss/state';
import { RoomHistory } from './room-history.js';
import type { DocumentJson, RoomListener } from './room-listener.js';
import type { LostPosition, RoomStart, StartRequest } from './room-start.js';
import { SharedCall } from './shared-call.js';

/** How long a hole below this node's own commit is left to the subscription before it is read, ms (R18). */
const OWN_HOLE_MS = 50;
/** How long documents that were read serve those who join, ms. */
const SNAPSHOT_MS = 1_000;

/** What a followed room works with. */
export interface FollowedRoomOptions {
  readonly room: string;
  readonly store: Pick<RoomStore, 'resume' | 'tops'>;
  readonly listener: Pick<RoomListener, 'deliver' | 'reset' | 'epochChanged'>;
  /** Events that the room's log keeps; more are never replayed. */
  readonly historyEvents: number;
  /** JSON of the room's documents where they were never written. */
  readonly emptyDocuments: ReadonlyMap<string, string>;
}

interface Arrival {
  readonly epoch: string;
  readonly entries: readonly LogEntry[];
}

interface Snapshot {
  readonly position: Position;
  readonly documents: ReadonlyMap<string, DocumentJson>;
  readonly at: number;
}

/**
 * One room as this node follows it: every entry is delivered once and in order, whichever way it came — as the
 * answer to a commit of this node, over the channel, or read from the log after a gap. Those who join are served
 * from what the node has; the log is read once for all of them, not once for each.
 */
export class FollowedRoom {
  private readonly logger = new Logger('RoomFeed');
  private at?: Position;
  private lineage: readonly ClosedEpoch[] = [];
  private boundTo = '';
  private history = new RoomHistory(1);
  private snapshot?: Snapshot;
  /** Entries that came too early, by their first number. */
  private readonly early = new Map<number, LogEntry>();
  /** What came while the room was being read. */
  private arrivals: Arrival[] = [];
  private reading?: Promise<void>;
  private stopped = false;
  private holeTimer?: NodeJS.Timeout;
  private readonly readWhole = new SharedCall(() => this.read(() => this.takeWhole()));
  private readonly confirming = new SharedCall(() => this.ensureCurrent());
  /** When something was last heard of the room, ms on this process' steady clock. */
  heardAt = -Infinity;

  constructor(private readonly options: FollowedRoomOptions) {
    // Until the position is known everything that arrives has to wait.
    this.reading = Promise.resolve();
  }

  /** Last position that was delivered; only after {@link start}. */
  get position(): Position {
    return this.at!;
  }

  /** The engine's history that the position's epoch is bound to; only after {@link start}. */
  get replicationId(): string {
    return this.boundTo;
  }

  /** Reads where the room stands; call it when the subscription is confirmed. */
  async start(): Promise<void> {
    const reply = await this.options.store.resume({ room: this.options.room });
    const { position } = reply;
    this.moveTo(reply);
    this.history = new RoomHistory(position.seq + 1);
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

  /**
   * Goes to where the room stands now, in case messages are late or their link is down: what begins after it shows
   * every command that was answered before the call, on any node, and nothing of a history that is over.
   * @throws StoreError when the engine can't be asked.
   */
  confirm(): Promise<void> {
    return this.confirming.run();
  }

  /**
   * Finds out how a client begins and tells it, synchronously with the room's deliveries: what is delivered after
   * the call comes after the start.
   * @throws StoreError when the log has to be read and can't be.
   */
  async begin(request: StartRequest, complete: (start: RoomStart) => void): Promise<void> {
    for (let current = false; ; current = true) {
      while (this.reading) await this.reading;
      const start = this.startFor(request, current);
      if (start) return complete(start);
      await this.readWhole.run();
    }
  }

  /** Takes entries that this node committed (`own`) or heard of. */
  accept(epoch: string, entries: readonly LogEntry[], own: boolean): void {
    this.heardAt = performance.now();
    if (this.reading) {
      this.arrivals.push({ epoch, entries });
      return;
    }
    if (epoch !== this.at!.epoch) {
      // A number alone proves nothing: only an epoch that is known to be closed may be ignored (R14).
      if (!this.lineage.some((closed) => closed.epoch === epoch)) this.repair();
      return;
    }
    for (const entry of entries) if (lastSeq(entry) > this.at!.seq) this.early.set(entry.first, entry);
    this.deliverReady();
    if (this.early.size === 0) return;
    if (!own) this.repair();
    else this.holeTimer ??= setTimeout(() => this.repair(), OWN_HOLE_MS);
  }

  /** Reads what is missing, if anything is, and delivers it in order; tries until it succeeds. */
  repair(): void {
    if (this.reading || this.stopped) return;
    clearTimeout(this.holeTimer);
    delete this.holeTimer;
    void this.read(() => this.catchUp()).catch((error: unknown) => this.logger.error(error));
  }

  /** Compares with where the room stands according to the engine. */
  compare(top: RoomTop): void {
    if (this.reading || top === 'unreachable') return;
    if (top?.epoch !== this.at!.epoch || top.seq > this.at!.seq) this.repair();
  }

  private startFor({ from, newest = 0, documents }: StartRequest, current: boolean): RoomStart | undefined {
    const position = this.at!;
    if (from) {
      const judged = this.judge(from, current);
      if (!judged) return undefined;
      if (Array.isArray(judged)) return { position, recovered: true, entries: judged };
      return this.withSnapshot({ ...judged, recovered: false });
    }
    if (documents) return this.withSnapshot({ recovered: true });
    if (newest > 0 && !current && this.history.first > Math.max(1, position.seq - newest + 1))
      return undefined;
    return { position, recovered: true, entries: newest > 0 ? this.history.newest(newest) : [] };
  }

  /** What came after a position, or why it can't be continued; undefined if only the engine knows. */
  private judge(from: Position, current: boolean): LogEntry[] | LostPosition | undefined {
    const at = this.at!;
    const limit =
      from.epoch === at.epoch ? at.seq : this.lineage.find(({ epoch }) => epoch === from.epoch)?.end;
    if (limit === undefined) return current ? { reason: 'unknown_epoch' } : undefined;
    if (from.seq > limit) {
      return current ? { reason: 'rolled_back', lost: { from: limit + 1, to: from.seq } } : undefined;
    }
    if (at.seq - from.seq > this.options.historyEvents) return { reason: 'too_far' };
    return this.history.since(from.seq) ?? (current ? { reason: 'trimmed' } : undefined);
  }

  private withSnapshot(start: Pick<RoomStart, 'recovered' | 'reason' | 'lost'>): RoomStart | undefined {
    const { snapshot } = this;
    if (!snapshot || performance.now() - snapshot.at > SNAPSHOT_MS) return undefined;
    if (snapshot.position.epoch !== this.at!.epoch) return undefined;
    const entries = this.history.since(snapshot.position.seq);
    if (!entries) return undefined;
    return { ...start, position: snapshot.position, documents: snapshot.documents, entries };
  }

  private async ensureCurrent(): Promise<void> {
    const [top] = await this.options.store.tops([this.options.room]);
    while (this.reading) await this.reading;
    if (top !== 'unreachable' && top?.epoch === this.at!.epoch && top.seq <= this.at!.seq) return;
    await this.read(() => this.takeMissed());
  }

  /** Runs one read at a time; what arrives meanwhile waits. */
  private async read(work: () => Promise<void>): Promise<void> {
    while (this.reading) await this.reading;
    const reading = work().finally(() => this.readingDone());
    this.reading = reading.catch(() => undefined);
    await reading;
  }

  private async catchUp(): Promise<void> {
    for (let attempt = 0; !this.stopped; attempt++) {
      try {
        return await this.takeMissed();
      } catch (error) {
        if (attempt === 0)
          this.logger.warn(`room ${this.options.room} can't be read: ${(error as Error).message}; trying on`);
        await delay(Math.min(1_000, 50 * 2 ** attempt) * (0.5 + Math.random()));
      }
    }
  }

  private async takeMissed(): Promise<void> {
    const { room, store, historyEvents } = this.options;
    const reply = await store.resume({ room, from: this.at!, most: historyEvents, documents: true });
    const { reason, lost, entries } = reply;
    await this.take(reply, reason ? { reason, ...(lost && { lost }) } : entries);
  }

  private async takeWhole(): Promise<void> {
    const { room, store, historyEvents } = this.options;
    const reply = await store.resume({ room, newest: historyEvents, documents: true });
    const { position, lineage, entries } = reply;
    const at = this.at!;
    const limit =
      at.epoch === position.epoch ? position.seq : lineage.find(({ epoch }) => epoch === at.epoch)?.end;
    const reached = (entries[0]?.first ?? position.seq + 1) <= at.seq + 1;
    const missed = (): LogEntry[] => entries.filter((entry) => lastSeq(entry) > at.seq);
    if (limit === undefined) await this.take(reply, { reason: 'unknown_epoch' });
    else if (at.seq > limit)
      await this.take(reply, { reason: 'rolled_back', lost: { from: limit + 1, to: at.seq } });
    else await this.take(reply, reached ? missed() : { reason: 'trimmed' });
    this.history.replace(entries, position.seq + 1);
  }

  /** Moves to the position of a reply, and takes its clients along. */
  private async take(reply: ResumeReply, outcome: readonly LogEntry[] | LostPosition): Promise<void> {
    const { room, listener } = this.options;
    const before = this.at!;
    const { position } = reply;
    const documents = this.documentsOf(reply);
    this.moveTo(reply);
    this.snapshot = { position, documents, at: performance.now() };
    if ('reason' in outcome) {
      this.history.restart(position.seq + 1);
      return listener.reset(room, before, { ...outcome, position, documents });
    }
    if (before.epoch !== position.epoch)
      await listener.epochChanged(room, before, { ...position, seq: before.seq });
    this.history.append(outcome);
    if (outcome.length > 0) listener.deliver(room, position.epoch, outcome);
  }

  private moveTo({ position, lineage, replicationId }: ResumeReply): void {
    this.at = position;
    this.lineage = lineage;
    this.boundTo = replicationId;
  }

  private documentsOf({ documents }: ResumeReply): Map<string, DocumentJson> {
    const views = new Map<string, DocumentJson>();
    for (const [name, json] of this.options.emptyDocuments) views.set(name, { version: 0, json });
    for (const [name, { position, json }] of documents) views.set(name, { version: seqOf(position), json });
    return views;
  }

  private readingDone(): void {
    delete this.reading;
    const arrivals = this.arrivals;
    this.arrivals = [];
    this.early.clear();
    for (const { epoch, entries } of arrivals) {
      // An epoch that was over before the room was read is older than what was read.
      if (this.at && epochNumber(epoch) < epochNumber(this.at.epoch)) continue;
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
    this.history.append(ready);
    this.options.listener.deliver(this.options.room, this.at.epoch, ready);
  }
}
