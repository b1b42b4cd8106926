import type { DocumentsJson, RoomHold, RoomStart, StartRequest } from '@wss/core';
import type { Random } from '@wss/testing';
import { type LogEntry, type LostRange, lastSeq, type Position, type ResetReason } from '@wss/protocol';
import type { RoomDelivery } from '../../src/rooms/room-delivery.js';

/** A client's wish to begin in the room, which waits for the engine. */
interface Begin {
  readonly request: StartRequest;
  readonly complete: (start: RoomStart) => void;
  readonly settle: (error?: unknown) => void;
}

interface Kept {
  readonly entry: LogEntry;
  readonly uids: readonly string[];
}

/** One room with its log, and the feed of a node that follows it; a test decides what happens to it. */
export class LogRoom {
  /** Content of each number of the surviving history, trimmed or not. */
  readonly history = new Map<number, string>();
  followed = false;
  /** The engine's answer, if not a start. */
  failure?: Error;
  private epochNumber = 1;
  private seq = 0;
  private log: Kept[] = [];
  private lineage: { readonly epoch: string; readonly end: number }[] = [];
  private begins: Begin[] = [];
  private holds = 0;
  /** Members are being told of another epoch; what is delivered meanwhile waits. */
  private telling = false;
  private waiting: (() => void)[] = [];
  private written = 0;
  private moves = 0;

  constructor(
    readonly name: string,
    private readonly delivery: RoomDelivery,
    private readonly random: Random,
  ) {}

  get position(): Position {
    return { epoch: `${this.epochNumber}.x`, seq: this.seq };
  }

  get settled(): boolean {
    return this.begins.length === 0 && !this.telling;
  }

  private begin(request: StartRequest, complete: (start: RoomStart) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: unknown): void => (error === undefined ? resolve() : reject(error as Error));
      this.begins.push({ request, complete, settle });
    });
  }

  hold(): RoomHold {
    let held = true;
    this.holds++;
    return {
      begin: (request, complete) => this.begin(request, (start) => held && complete(start)),
      current: () => undefined,
      release: () => {
        if (held) this.holds--;
        held = false;
      },
    };
  }

  /** Nobody here wants the room any more. */
  get released(): boolean {
    return this.holds === 0;
  }

  /** The room was without a client for long enough. */
  drop(): void {
    if (this.released && this.settled) this.followed = false;
  }

  /** The engine answers all waiting callers. */
  answer(): void {
    if (this.telling) return;
    for (const { request, complete, settle } of this.begins.splice(0)) {
      if (this.failure) {
        settle(this.failure);
        continue;
      }
      this.followed = true;
      try {
        complete(this.startFor(request));
        settle();
      } catch (error) {
        settle(error);
      }
    }
  }

  /** Commands of any node are written; this node hears of them if it follows the room. */
  write(count: number, bytes: number): void {
    const entries = Array.from({ length: count }, () => this.append(bytes));
    if (!this.followed) return;
    const { epoch } = this.position;
    if (this.telling) this.waiting.push(() => this.delivery.deliver(this.name, epoch, entries));
    else this.delivery.deliver(this.name, epoch, entries);
  }

  volatile(bytes: number): void {
    if (!this.followed) return;
    const data = JSON.stringify({ move: ++this.moves, pad: 'x'.repeat(bytes) });
    this.delivery.deliverVolatile(this.name, '"moved"', data);
  }

  durable(): void {
    if (!this.followed || this.telling) return;
    this.delivery.durable(this.name, { ...this.position, seq: this.random.below(this.seq + 1) });
  }

  /** The log forgets its oldest entries. */
  trim(): void {
    this.log = this.log.slice(this.random.below(this.log.length + 1));
  }

  /** A new history of the engine, which has all of this one. */
  async changeEpoch(): Promise<void> {
    const before = this.openEpoch(this.seq);
    await this.tell(() =>
      this.delivery.epochChanged(this.name, before, { ...this.position, seq: before.seq }),
    );
  }

  /** A new history of the engine, which lost the newest entries. */
  async rollBack(): Promise<void> {
    const lost = this.log.splice(this.log.length - this.random.below(Math.min(4, this.log.length) + 1));
    const end = lost.length > 0 ? lost[0]!.entry.first - 1 : this.seq;
    const before = this.openEpoch(end);
    if (before.seq === end)
      return this.tell(() => this.delivery.epochChanged(this.name, before, this.position));
    for (let seq = end + 1; seq <= before.seq; seq++) this.history.delete(seq);
    await this.reset(before, 'rolled_back', { from: end + 1, to: before.seq });
  }

  /** The engine has no memory of any history before. */
  async loseLineage(): Promise<void> {
    const before = this.openEpoch(this.seq);
    this.lineage = [];
    await this.reset(before, 'unknown_epoch');
  }

  /** This node did not hear of some entries, and they are in the log no more. */
  async missSome(): Promise<void> {
    const before = this.position;
    this.append(10);
    this.log = [];
    await this.reset(before, 'trimmed');
  }

  private reset(before: Position, reason: ResetReason, lost?: LostRange): Promise<void> {
    const { position } = this;
    const reset = { reason, position, documents: this.documentsAt(position.seq), ...(lost && { lost }) };
    return this.tell(() => this.delivery.reset(this.name, before, reset));
  }

  private async tell(tell: () => Promise<void>): Promise<void> {
    if (!this.followed) return;
    this.telling = true;
    await tell();
    this.telling = false;
    for (const deliver of this.waiting.splice(0)) deliver();
  }

  private openEpoch(end: number): Position {
    const before = this.position;
    this.lineage = this.lineage.map(({ epoch, end: at }) => ({ epoch, end: Math.min(at, end) }));
    this.lineage.push({ epoch: before.epoch, end });
    this.epochNumber++;
    this.seq = end;
    return before;
  }

  private append(bytes: number): LogEntry {
    const withPatch = this.random.below(2) === 0;
    const uids = Array.from({ length: 1 + this.random.below(2) }, () => `u${++this.written}`);
    const first = this.seq + 1;
    const events = uids.map((uid, index) => {
      this.history.set(first + index, uid);
      const patched = withPatch && index === uids.length - 1;
      return { event: '"written"', data: JSON.stringify({ uid, patched, pad: 'x'.repeat(bytes) }) };
    });
    const entry: LogEntry = { first, events, ...(withPatch && { patch: '{"doc":{"base":0,"ops":[]}}' }) };
    this.seq = lastSeq(entry);
    this.log.push({ entry, uids });
    return entry;
  }

  private documentsAt(seq: number): DocumentsJson {
    return new Map([['doc', { version: seq, json: `{"seq":${seq}}` }]]);
  }

  private startFor({ from, newest = 0, documents }: StartRequest): RoomStart {
    const { position } = this;
    const judged = from && this.judge(from);
    if (judged) return this.withDocuments({ ...judged, recovered: false });
    if (from) return this.inParts({ position, recovered: true, entries: this.since(from.seq) });
    if (documents) return this.withDocuments({ recovered: true });
    const newestFrom = Math.max(this.oldest - 1, this.seq - newest);
    return this.inParts({ position, recovered: true, entries: newest > 0 ? this.since(newestFrom) : [] });
  }

  private judge({ epoch, seq }: Position): Pick<RoomStart, 'reason' | 'lost'> | undefined {
    const { position } = this;
    const limit =
      epoch === position.epoch ? this.seq : this.lineage.find((closed) => closed.epoch === epoch)?.end;
    if (limit === undefined) return { reason: 'unknown_epoch' };
    if (seq > limit) return { reason: 'rolled_back', lost: { from: limit + 1, to: seq } };
    return seq < this.oldest - 1 ? { reason: 'trimmed' } : undefined;
  }

  /** Documents as they were a while ago, and what happened since. */
  private withDocuments(start: Pick<RoomStart, 'recovered' | 'reason' | 'lost'>): RoomStart {
    const behind = this.log.slice(this.log.length - this.random.below(Math.min(3, this.log.length) + 1));
    const seq = behind.length > 0 ? behind[0]!.entry.first - 1 : this.seq;
    const position = { epoch: this.position.epoch, seq };
    return this.inParts({ ...start, position, documents: this.documentsAt(seq), entries: this.since(seq) });
  }

  /** Sometimes only the first part is at hand. */
  private inParts(start: Omit<RoomStart, 'missed' | 'more'>): RoomStart {
    const { entries } = start;
    const count = this.random.below(3) === 0 ? 1 + this.random.below(entries.length) : entries.length;
    return {
      ...start,
      missed: entries.reduce((sum, { events }) => sum + events.length, 0),
      entries: entries.slice(0, count),
      more: count < entries.length,
    };
  }

  private get oldest(): number {
    return this.log[0]?.entry.first ?? this.seq + 1;
  }

  private since(seq: number): LogEntry[] {
    return this.log.flatMap(({ entry }) => {
      if (lastSeq(entry) <= seq) return [];
      if (entry.first > seq) return [entry];
      return [{ ...entry, first: seq + 1, events: entry.events.slice(seq + 1 - entry.first) }];
    });
  }
}
