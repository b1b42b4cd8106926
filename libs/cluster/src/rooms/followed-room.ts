import type { DocumentJson, RoomStart, StartRequest } from '@wss/core';
import { type LogEntry, lastSeq, type Position, type ResetReason } from '@wss/protocol';
import {
  type ClosedEpoch,
  epochNumber,
  type ResumeReply,
  type RoomStore,
  type RoomTop,
  StoreError,
} from '@wss/state';
import { firstPart, withoutSeen } from './log-entries.js';
import { RoomHistory } from './room-history.js';
import type { PresenceHearer, RoomListener } from './room-listener.js';
import { type NodeReads, type RoomReader, RoomReads } from './room-reads.js';
import { judge, type LostPosition, viewsOf } from './room-start.js';
import { RoomFaults } from './room-faults.js';
import { SharedCall } from './shared-call.js';

/** How long a hole below this node's own commit is left to the subscription before it is read, ms (R18). */
const OWN_HOLE_MS = 50;
/** How long documents that were read are used for joins, ms. */
const SNAPSHOT_MS = 1_000;
/** Largest amount of data that a client begins with, or gets at a time while it catches up, characters. */
const PART_CHARACTERS = 262_144;
/** How often a read may return another epoch than the room was just found in. */
const MAX_EPOCHS = 5;

/** Dependencies and settings of a followed room. */
export interface FollowedRoomOptions {
  readonly room: string;
  readonly store: RoomReader & Pick<RoomStore, 'tops'>;
  readonly reads: NodeReads;
  readonly listener: Pick<RoomListener, 'deliver' | 'reset' | 'epochChanged' | 'letGo'>;
  readonly presence?: Pick<PresenceHearer, 'historyChanged'>;
  /** Events that the room's log keeps; more are never replayed. */
  readonly historyEvents: number;
  /** JSON of the room's documents that were never written. */
  readonly emptyDocuments: ReadonlyMap<string, string>;
}

type Arrival = Readonly<{ epoch: string; entries: readonly LogEntry[] }>;

interface Snapshot {
  readonly position: Position;
  readonly documents: ReadonlyMap<string, DocumentJson>;
  readonly at: number;
}

/** Data that is missing before a client can begin: the room's position, its documents, or the events after a number. */
type Missing = 'truth' | 'documents' | number;

/**
 * One room that this node follows. It delivers every entry once and in order, whether it came as the answer to a
 * commit of this node, over the channel, or from the log after a gap. Joins are served from the node's memory; older
 * entries are read for them a part at a time, while the room goes on for the others.
 */
export class FollowedRoom {
  private at?: Position;
  private lineage: readonly ClosedEpoch[] = [];
  private boundTo = '';
  private history = new RoomHistory(1);
  private snapshot?: Snapshot;
  /** Entries that came too early, by their first number. */
  private readonly early = new Map<number, LogEntry>();
  /** Entries that came while the room was being read. */
  private arrivals: Arrival[] = [];
  private reading?: Promise<void>;
  private stopped = false;
  private holeTimer?: NodeJS.Timeout;
  /** The log had no older event in this epoch. */
  private oldest = 0;
  private readonly reads: RoomReads;
  private readonly faults: RoomFaults;
  private readonly updating = new SharedCall(() => this.read(() => this.takeMissed()));
  private readonly snapping = new SharedCall(() => this.takeSnapshot());
  private readonly confirming = new SharedCall(() => this.ensureCurrent());
  /** When the room was last heard of, ms on this process' steady clock. */
  heardAt = -Infinity;

  constructor(private readonly options: FollowedRoomOptions) {
    // Until the position is known, all arrivals have to wait.
    this.reading = Promise.resolve();
    this.faults = new RoomFaults(options.room, () => this.stopped);
    this.reads = new RoomReads(options.room, options.store, options.reads);
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

  /** True if everything up to this point was delivered already. */
  has(epoch: string, last: number): boolean {
    return !this.reading && epoch === this.at!.epoch && last <= this.at!.seq;
  }

  /**
   * Moves to the room's present position, in case messages are late or their link is down: a later start shows every
   * command that was answered before the call, on any node, and nothing of a closed history.
   * @throws StoreError when the engine can't be asked.
   */
  confirm(): Promise<void> {
    return this.confirming.run();
  }

  /**
   * Finds the start of a client and calls back with it, synchronously with the room's deliveries: later deliveries
   * come after the start.
   * @throws StoreError if the log must be read and can't be.
   */
  async begin(request: StartRequest, complete: (start: RoomStart) => void): Promise<void> {
    let epochs = 0;
    let live: Position | undefined;
    for (let current = false; ;) {
      while (this.reading) await this.reading;
      request.signal?.throwIfAborted();
      // The beginning of the newest events is fixed once; otherwise a room that moves on while it is read would never
      // be caught.
      if (live?.epoch !== this.at!.epoch) live = this.at!;
      const start = this.startFor(request, live!.seq, current);
      if (typeof start === 'object') return complete(start);
      current ||= start === 'truth';
      if (await this.find(start, request.signal)) continue;
      if (++epochs > MAX_EPOCHS) throw new StoreError('unavailable', 'reads come from another history');
      await this.updating.run();
    }
  }

  /** Takes entries that this node committed (`own`) or heard. */
  accept(epoch: string, entries: readonly LogEntry[], own: boolean): void {
    this.heardAt = performance.now();
    if (this.reading) {
      this.arrivals.push({ epoch, entries });
      return;
    }
    if (epoch !== this.at!.epoch) {
      // A number alone proves nothing: only a known closed epoch may be ignored (R14).
      if (!this.lineage.some((closed) => closed.epoch === epoch)) this.repair();
      return;
    }
    for (const entry of entries) if (lastSeq(entry) > this.at!.seq) this.early.set(entry.first, entry);
    this.deliverReady();
    if (this.early.size === 0) return;
    if (!own) this.repair();
    else this.holeTimer ??= setTimeout(() => this.repair(), OWN_HOLE_MS);
  }

  /** Reads missing entries, if any, and delivers them in order; keeps trying while the engine is out of reach. */
  repair(): void {
    if (this.reading || this.stopped) return;
    clearTimeout(this.holeTimer);
    delete this.holeTimer;
    void this.read(() => this.catchUp(() => this.takeMissed()));
  }

  /** Compares with where the room stands according to the engine. */
  compare(top: RoomTop): void {
    if (this.reading || top === 'unreachable') return;
    if (top?.epoch !== this.at!.epoch || top.seq > this.at!.seq) this.repair();
  }

  /** @param live the room's position at the first look */
  private startFor(
    { from, newest = 0, documents }: StartRequest,
    live: number,
    current: boolean,
  ): RoomStart | Missing {
    if (from) {
      const lost = judge(from, { at: this.at!, lineage: this.lineage, most: this.options.historyEvents });
      if (lost) return lost.reason === 'too_far' || current ? this.withSnapshot(lost) : 'truth';
      const entries = this.after(from.seq);
      if (entries) return this.startWith(withoutSeen(entries, from.seq));
      return from.seq + 1 < this.oldest ? this.withSnapshot({ reason: 'trimmed' }) : from.seq;
    }
    if (documents) return this.withSnapshot();
    const wanted = Math.max(live - Math.min(newest, this.options.historyEvents), this.oldest - 1, 0);
    const entries = this.after(Math.min(wanted, this.at!.seq));
    return entries ? this.startWith(entries) : wanted;
  }

  /** Whole entries after an event, as far as they are at hand; undefined if they are not. */
  private after(seq: number): LogEntry[] | undefined {
    const { room, reads } = this.options;
    return this.history.since(seq) ?? reads.parts.find(room, this.at!.epoch, seq);
  }

  private startWith(entries: readonly LogEntry[], start: Partial<RoomStart> = {}): RoomStart {
    const position = this.at!;
    // A part that was read may go beyond the delivered entries.
    const known = entries.filter((entry) => lastSeq(entry) <= position.seq);
    const part = firstPart(known, PART_CHARACTERS);
    const [first] = part;
    return {
      position,
      recovered: true,
      ...start,
      missed: first ? position.seq + 1 - first.first : 0,
      entries: part,
      more: first !== undefined && lastSeq(part.at(-1)!) < position.seq,
    };
  }

  private withSnapshot(lost?: LostPosition): RoomStart | Missing {
    const { snapshot } = this;
    const isFresh = snapshot && performance.now() - snapshot.at <= SNAPSHOT_MS;
    if (!isFresh || snapshot.position.epoch !== this.at!.epoch) return 'documents';
    const { position, documents } = snapshot;
    if (position.seq > this.at!.seq) return 'truth';
    const entries = this.history.since(position.seq);
    if (!entries) return 'documents';
    const start = this.startWith(entries, { position, documents, recovered: !lost, ...lost });
    // A client that has to catch up from documents that old would soon be too far behind again.
    const isOld = this.at!.seq - position.seq > this.options.historyEvents / 2;
    return start.more && isOld ? 'documents' : start;
  }

  /** Returns true if it was found in the room's epoch. */
  private async find(missing: Missing, signal?: AbortSignal): Promise<boolean> {
    if (missing === 'truth') await this.updating.run();
    else if (missing === 'documents') await this.reads.forDocuments(this.snapping, signal);
    else {
      const { position, oldest = 0 } = await this.reads.read(missing, signal);
      while (this.reading) await this.reading;
      if (position.epoch !== this.at!.epoch) return false;
      this.oldest = Math.max(this.oldest, oldest);
      return true;
    }
    return missing === 'truth' || this.snapshot?.position.epoch === this.at!.epoch;
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

  /** Never rejects: after a bug members begin anew, and if even that fails they are let go. */
  private async catchUp(work: () => Promise<void>): Promise<void> {
    try {
      await this.faults.persist(work);
    } catch (error) {
      this.faults.found(error);
      await this.faults
        .persist(() => this.startAnew())
        .catch((again: unknown) => {
          this.faults.found(again);
          this.options.listener.letGo(this.options.room);
        });
    }
  }

  /** Gives members the present room when it is unknown what they got. */
  private async startAnew(): Promise<void> {
    const { room, store, reads } = this.options;
    const reply = await reads.repairing.run(() => store.resume({ room, documents: true }));
    await this.resetTo({ ...reply, reason: 'unknown_epoch' });
  }

  /** Moves to the room's present position, a part at a time. */
  private async takeMissed(): Promise<void> {
    const { room, store, historyEvents: most, reads } = this.options;
    for (let more = true; more && !this.stopped;) {
      const from = this.at!;
      const reply = await reads.repairing.run(() => store.resume({ room, from, most, documents: 'ifLost' }));
      await this.take(reply);
      more = reply.more;
    }
  }

  /** Reads the documents without keeping the room; it counts in the epoch that the room is in. */
  private async takeSnapshot(): Promise<void> {
    const reply = await this.reads.documents();
    if (!reply) return;
    this.snapshot = {
      position: reply.position,
      documents: viewsOf(reply.documents, this.options.emptyDocuments),
      at: performance.now(),
    };
  }

  /** Moves to the position of a reply, and takes its clients along; it moves after they have been told. */
  private async take(reply: ResumeReply): Promise<void> {
    const { room, listener } = this.options;
    const before = this.at!;
    const { reason, entries } = reply;
    const { epoch } = reply.position;
    const position = reply.more ? { epoch, seq: lastSeq(entries.at(-1)!) } : reply.position;
    if (reason) return this.resetTo({ ...reply, position, reason });
    if (before.epoch !== epoch) {
      this.options.presence?.historyChanged(room);
      await listener.epochChanged(room, before, { epoch, seq: before.seq });
    }
    this.moveTo({ ...reply, position });
    const missed = withoutSeen(entries, before.seq);
    this.history.append(missed);
    if (missed.length > 0) this.deliver(missed);
  }

  private async resetTo(reply: ResumeReply & { readonly reason: ResetReason }): Promise<void> {
    const { room, listener } = this.options;
    const { position, reason, lost } = reply;
    const documents = viewsOf(reply.documents, this.options.emptyDocuments);
    this.options.presence?.historyChanged(room);
    await listener.reset(room, this.at!, { reason, position, documents, ...(lost && { lost }) });
    this.moveTo(reply);
    this.snapshot = { position, documents, at: performance.now() };
    this.history.restart(position.seq + 1);
  }

  /** Delivers entries. If that fails, it is unknown which members got them, so all start anew. */
  private deliver(entries: readonly LogEntry[]): void {
    try {
      this.options.listener.deliver(this.options.room, this.at!.epoch, entries);
    } catch (error) {
      this.faults.found(error);
      void this.read(() => this.catchUp(() => this.startAnew()));
    }
  }

  private moveTo(reply: Pick<ResumeReply, 'position' | 'lineage' | 'replicationId'>): void {
    if (this.at?.epoch !== reply.position.epoch) this.oldest = 0;
    this.at = reply.position;
    this.lineage = reply.lineage;
    this.boundTo = reply.replicationId;
  }

  private readingDone(): void {
    delete this.reading;
    const arrivals = this.arrivals;
    this.arrivals = [];
    this.early.clear();
    for (const { epoch, entries } of arrivals) {
      // An epoch that was closed before the room was read is older than the result.
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
    this.deliver(ready);
  }
}
