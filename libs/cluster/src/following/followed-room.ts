import type { RoomStart, StartRequest } from '@wss/core';
import { type LogEntry, lastSeq, type Position, type ResetReason } from '@wss/protocol';
import { epochNumber, type ResumeReply, type RoomStore, type RoomTop, StoreError } from '@wss/state';
import { EarlyEntries } from './early-entries.js';
import { withoutSeen } from './log-entries.js';
import { missedEndings } from './missed-endings.js';
import { RoomDoubt } from './room-doubt.js';
import { type FeedFaults, RoomFaults } from './room-faults.js';
import type { PresenceHearer, RoomListener } from './room-listener.js';
import { type NodeReads, type RoomReader, RoomReads } from './room-reads.js';
import { RoomStanding } from './room-standing.js';
import { type Missing, RoomStarts, type RoomStartsOptions } from './room-starts.js';
import { SharedCall } from './shared-call.js';

/** How long a hole below this node's own commit is left to the subscription before it is read, ms (R18). */
const OWN_HOLE_MS = 50;
/** How often a read may return another epoch than the room was just found in. */
const MAX_EPOCHS = 5;
/** Largest number of frames outside of the log that wait for a read; others are lost, as they may be. */
const MOST_WAITING = 1_000;

/** Dependencies and settings of a followed room. */
export interface FollowedRoomOptions extends Omit<RoomStartsOptions, 'parts'> {
  readonly store: RoomReader & Pick<RoomStore, 'tops'>;
  readonly reads: NodeReads;
  readonly faults: FeedFaults;
  readonly listener: Pick<RoomListener, 'deliver' | 'ended' | 'reset' | 'epochChanged' | 'letGo'>;
  readonly presence?: Pick<PresenceHearer, 'historyChanged'>;
}

/** Log entries, or a frame outside of the log, which is sent by a call. */
type Arrival = { readonly epoch: string; readonly entries: readonly LogEntry[] } | (() => void);

type State =
  /** Its position is not known yet: everything that arrives has to wait. */
  | { readonly kind: 'opening'; readonly arrivals: Arrival[] }
  /** Arrivals are delivered. */
  | { readonly kind: 'live'; readonly standing: RoomStanding }
  /** It is being read; what arrives meanwhile waits. */
  | {
      readonly kind: 'reading';
      readonly standing: RoomStanding;
      readonly arrivals: Arrival[];
      /** Resolves when the read has ended, however it did. */
      readonly ended: Promise<void>;
    };

/**
 * One room that this node follows. It delivers every entry once and in order, whether it came as the answer to a
 * commit of this node, over the channel, or from the log after a gap. Joins are served from the node's memory; older
 * entries are read for them a part at a time, while the room goes on for the others.
 */
export class FollowedRoom {
  private state: State = { kind: 'opening', arrivals: [] };
  private readonly early = new EarlyEntries();
  private stopped = false;
  private doubt?: RoomDoubt;
  /** True if the channel was heard again during a read, which may have come too early to show what was missed. */
  private isReadLate = false;
  private holeTimer?: NodeJS.Timeout;
  private readonly starts: RoomStarts;
  private readonly reads: RoomReads;
  private readonly faults: RoomFaults;
  private readonly updating = new SharedCall(() => this.read((standing) => this.takeMissed(standing)));
  private readonly readingDocuments = new SharedCall(() => this.readDocuments());
  private readonly confirming = new SharedCall(() => this.ensureCurrent());
  /** When the room was last heard of, ms on this process' steady clock. */
  heardAt = -Infinity;

  constructor(private readonly options: FollowedRoomOptions) {
    const { room, store, reads, faults } = options;
    this.faults = new RoomFaults(room, faults, () => this.stopped);
    this.reads = new RoomReads(room, store, reads);
    this.starts = new RoomStarts({ ...options, parts: reads.parts });
  }

  /** True if the room's position is known. */
  get isOpen(): boolean {
    return this.state.kind !== 'opening';
  }

  /** Last position that was delivered; only after {@link start}. */
  get position(): Position {
    return this.standing.position;
  }

  /** The engine's history that the position's epoch is bound to; only after {@link start}. */
  get replicationId(): string {
    return this.standing.replicationId;
  }

  /** Reads where the room stands, and keeps it from its idle end; call it when the subscription is confirmed. */
  async start(): Promise<void> {
    const reply = await this.options.store.resume({ room: this.options.room, holds: true });
    this.goLive(new RoomStanding(reply));
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.holeTimer);
    this.endDoubt();
  }

  /**
   * Resolves when it is known which memberships have ended, as far as this node may have missed that (R38); undefined if it
   * has not. It may have to be asked again.
   */
  get current(): Promise<void> | undefined {
    return this.doubt?.over ?? (this.state.kind === 'reading' ? this.state.ended : undefined);
  }

  /** The room's channel is about to be heard again: endings may have been missed. */
  returning(): void {
    this.doubt ??= new RoomDoubt();
    this.doubt.isHeard = false;
  }

  /** The room's channel is heard again. */
  heardAgain(): void {
    if (this.doubt) this.doubt.isHeard = true;
    if (this.state.kind === 'live') this.repair();
    else this.isReadLate = true;
  }

  /** The room's channel can't be heard, and nothing is waited for. */
  endDoubt(): void {
    this.doubt?.end();
    delete this.doubt;
  }

  /** True if everything up to this point was delivered already. */
  has(epoch: string, last: number): boolean {
    if (this.state.kind !== 'live') return false;
    const { position } = this.state.standing;
    return epoch === position.epoch && last <= position.seq;
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
    const { standing } = this;
    let epochs = 0;
    let live: Position | undefined;
    for (let isCurrent = false; ;) {
      while (this.state.kind === 'reading') await this.state.ended;
      request.signal?.throwIfAborted();
      // The beginning of the newest events is fixed once; otherwise a room that moves on while it is read would never
      // be caught.
      if (live?.epoch !== standing.position.epoch) live = standing.position;
      const start = this.starts.startFor(standing, request, { live, isCurrent });
      if (typeof start === 'object') {
        const { gate } = standing;
        return complete(gate.at === '' ? start : { ...start, gate });
      }
      isCurrent ||= start === 'truth';
      if (await this.find(start, request.signal)) continue;
      if (++epochs > MAX_EPOCHS) throw new StoreError('unavailable', 'reads come from another history');
      await this.updating.run();
    }
  }

  /** Takes entries that this node committed (`own`) or heard. */
  accept(epoch: string, entries: readonly LogEntry[], own: boolean): void {
    this.heardAt = performance.now();
    const { state } = this;
    if (state.kind !== 'live') return void state.arrivals.push({ epoch, entries });
    const { standing } = state;
    if (epoch !== standing.position.epoch) {
      // A number alone proves nothing: only a known closed epoch may be ignored (R14).
      if (!standing.hasClosed(epoch)) this.repair();
      return;
    }
    for (const entry of entries) if (lastSeq(entry) > standing.position.seq) this.early.add(entry);
    this.deliverReady(standing);
    if (this.early.size === 0) return;
    if (!own) this.repair();
    else this.holeTimer ??= setTimeout(() => this.repair(), OWN_HOLE_MS);
  }

  /**
   * Sends a frame outside of the log in its place among the deliveries. While the room is read it waits: what is read
   * may end memberships (R39). It may be lost.
   */
  pass(send: () => void): void {
    const { state } = this;
    if (state.kind === 'live') send();
    else if (state.arrivals.length < MOST_WAITING) state.arrivals.push(send);
  }

  /** Reads missing entries, if any, and delivers them in order; keeps trying while the engine is out of reach. */
  repair(): void {
    if (this.state.kind !== 'live' || this.stopped) return;
    this.forgetHole();
    void this.read((standing) => this.catchUp(standing, () => this.takeMissed(standing)));
  }

  /** Compares with where the room stands according to the engine. */
  compare(top: RoomTop): void {
    if (this.state.kind !== 'live' || top === 'unreachable') return;
    const { epoch, seq } = this.state.standing.position;
    if (top?.epoch !== epoch || top.seq > seq) this.repair();
  }

  private get standing(): RoomStanding {
    if (this.state.kind === 'opening') throw new Error(`room ${this.options.room} is not open yet`);
    return this.state.standing;
  }

  /** Returns true if it was found in the room's epoch. */
  private async find(missing: Missing, signal?: AbortSignal): Promise<boolean> {
    const { standing } = this;
    if (missing === 'truth') await this.updating.run();
    else if (missing === 'documents') await this.reads.forDocuments(this.readingDocuments, signal);
    else {
      const { position, oldest = 0 } = await this.reads.read(missing, signal);
      while (this.state.kind === 'reading') await this.state.ended;
      if (position.epoch !== standing.position.epoch) return false;
      standing.oldest = Math.max(standing.oldest, oldest);
      return true;
    }
    return missing === 'truth' || this.starts.hasDocumentsOf(standing.position.epoch);
  }

  private async ensureCurrent(): Promise<void> {
    const [top] = await this.options.store.tops([this.options.room]);
    while (this.state.kind === 'reading') await this.state.ended;
    const { epoch, seq } = this.position;
    if (top !== 'unreachable' && top?.epoch === epoch && top.seq <= seq) return;
    await this.read((standing) => this.takeMissed(standing));
  }

  /** Runs one read at a time; what arrives meanwhile waits. */
  private async read(work: (standing: RoomStanding) => Promise<void>): Promise<void> {
    while (this.state.kind === 'reading') await this.state.ended;
    const { standing } = this;
    const reading = work(standing).finally(() => this.goLive(standing));
    this.state = { kind: 'reading', standing, arrivals: [], ended: reading.catch(() => undefined) };
    await reading;
  }

  /** Never rejects: after a bug members begin anew, and if even that fails they are let go. */
  private async catchUp(standing: RoomStanding, work: () => Promise<void>): Promise<void> {
    try {
      await this.faults.persist(work);
    } catch (error) {
      this.faults.found(error);
      await this.faults
        .persist(() => this.startAnew(standing))
        .catch((again: unknown) => {
          this.faults.found(again);
          this.options.listener.letGo(this.options.room);
        });
    }
  }

  /** Gives members the present room when it is unknown what they got. */
  private async startAnew(standing: RoomStanding): Promise<void> {
    const { room, store, reads } = this.options;
    const request = { room, documents: true, gate: standing.gate.at };
    const reply = await reads.repairing.run(() => store.resume(request));
    await this.resetTo(standing, { ...reply, reason: 'unknown_epoch' });
  }

  /** Moves to the room's present position, a part at a time. */
  private async takeMissed(standing: RoomStanding): Promise<void> {
    const { room, store, historyEvents: most, reads } = this.options;
    for (let more = true; more && !this.stopped;) {
      const { position: from, gate } = standing;
      const request = { room, from, most, gate: gate.at, documents: 'ifLost' } as const;
      const reply = await reads.repairing.run(() => store.resume(request));
      await this.take(standing, reply);
      more = reply.more;
    }
  }

  /** Reads the documents without keeping the room; they count in the epoch that the room is in. */
  private async readDocuments(): Promise<void> {
    const reply = await this.reads.documents();
    if (reply) this.starts.keep(reply.position, this.starts.viewsOf(reply));
  }

  /** Moves to the position of a reply, and takes its clients along; it moves after they have been told. */
  private async take(standing: RoomStanding, reply: ResumeReply): Promise<void> {
    const { room, listener, presence } = this.options;
    const before = standing.position;
    const { reason, entries } = reply;
    const position = endOf(reply);
    const { epoch } = position;
    if (reason) return this.resetTo(standing, { ...reply, position, reason });
    listener.ended?.(room, missedEndings(reply, before, position));
    if (before.epoch !== epoch) {
      presence?.historyChanged(room);
      await listener.epochChanged(room, before, { epoch, seq: before.seq });
    }
    standing.moveTo({ ...reply, position });
    const missed = withoutSeen(entries, before.seq);
    standing.append(missed);
    if (missed.length > 0) this.deliver(standing, missed);
  }

  private async resetTo(
    standing: RoomStanding,
    reply: ResumeReply & { readonly reason: ResetReason },
  ): Promise<void> {
    const { room, listener, presence } = this.options;
    const { position, reason, lost, gate = standing.gate } = reply;
    const documents = this.starts.viewsOf(reply);
    presence?.historyChanged(room);
    const reset = { reason, position, documents, ...(lost && { lost }), ...(gate.at !== '' && { gate }) };
    await listener.reset(room, standing.position, reset);
    standing.moveTo(reply);
    this.starts.keep(position, documents);
    standing.history.restart(position.seq + 1);
  }

  /** Delivers entries. If that fails, it is unknown which members got them, so all start anew. */
  private deliver(standing: RoomStanding, entries: readonly LogEntry[]): void {
    try {
      this.options.listener.deliver(this.options.room, standing.position.epoch, entries);
    } catch (error) {
      this.faults.found(error);
      void this.read((at) => this.catchUp(at, () => this.startAnew(at)));
    }
  }

  private goLive(standing: RoomStanding): void {
    const arrivals = this.state.kind === 'live' ? [] : this.state.arrivals;
    this.state = { kind: 'live', standing };
    this.early.clear();
    if (this.isReadLate) {
      this.isReadLate = false;
      this.repair();
    } else if (this.doubt?.isHeard) this.endDoubt();
    for (const arrival of arrivals) {
      if (typeof arrival === 'function') {
        this.pass(arrival);
        continue;
      }
      const { epoch, entries } = arrival;
      // An epoch that was closed before the room was read is older than the result.
      if (epochNumber(epoch) < epochNumber(standing.position.epoch)) continue;
      this.accept(epoch, entries, false);
    }
  }

  private deliverReady(standing: RoomStanding): void {
    const { epoch, seq } = standing.position;
    const ready = this.early.takeAfter(seq);
    const last = ready.at(-1);
    if (!last) return;
    standing.position = { epoch, seq: lastSeq(last) };
    if (this.early.size === 0) this.forgetHole();
    standing.append(ready);
    this.deliver(standing, ready);
    if (ready.some(({ ending }) => ending?.deleted)) this.goOnDeleted();
  }

  /** The room was deleted, which ended all memberships: whoever comes next begins where its next life stands. */
  private goOnDeleted(): void {
    if (this.state.kind !== 'live' || this.stopped) return;
    this.forgetHole();
    void this.read((standing) => this.catchUp(standing, () => this.beginNextLife(standing)));
  }

  private async beginNextLife(standing: RoomStanding): Promise<void> {
    const { room, store, reads } = this.options;
    const reply = await reads.repairing.run(() => store.resume({ room, gate: standing.gate.at }));
    standing.moveTo(reply);
    standing.history.restart(reply.position.seq + 1);
  }

  private forgetHole(): void {
    clearTimeout(this.holeTimer);
    delete this.holeTimer;
  }
}

/** Where the entries of a reply lead. */
function endOf({ position, entries, more }: ResumeReply): Position {
  const last = entries.at(-1);
  return more && last ? { epoch: position.epoch, seq: lastSeq(last) } : position;
}
