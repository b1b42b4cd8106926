import type { HistoryReset, RoomStart } from '@wss/core';
import type { LogEntry, Position } from '@wss/protocol';

/** The events that a client saw without a break, and after which number they began. */
interface Stretch {
  readonly after: number;
  readonly data: string[];
}

/** A client of one room on a node: it gets live events once it has all earlier ones. */
export class FeedClient {
  /** The events it saw, from the last start or reset that broke it on. */
  private stretch?: Stretch;
  /** The position from which it goes on, until it has all events before the live ones. */
  lagging?: Position;
  at?: Position;

  constructor(
    private readonly name: string,
    /** The position it remembers from before. */
    readonly from?: Position,
  ) {}

  get isLive(): boolean {
    return this.at !== undefined && this.lagging === undefined;
  }

  /** The events it saw last, by number. */
  get seen(): ReadonlyMap<number, string> {
    const { after = 0, data = [] } = this.stretch ?? {};
    return new Map(data.map((text, index) => [after + 1 + index, text]));
  }

  /** Begins, or goes on from where it lags. */
  start(start: RoomStart): void {
    const { position, recovered, entries, more } = start;
    const from = this.lagging ?? this.from;
    if (recovered && this.at === undefined) this.checkFirst(start);
    if (!this.stretch || !recovered) {
      const after = recovered && from ? from.seq : (entries[0]?.first ?? position.seq + 1) - 1;
      this.stretch = { after: recovered ? after : position.seq, data: [] };
    }
    this.at = { epoch: position.epoch, seq: this.stretch.after + this.stretch.data.length };
    this.take(position.epoch, entries);
    delete this.lagging;
    if (more) this.lagging = this.at;
    else if (recovered && this.at.seq < position.seq)
      this.fail(`starts at ${position.seq} and is at ${this.at.seq}`);
  }

  deliver(epoch: string, entries: readonly LogEntry[]): void {
    if (this.isLive) this.take(epoch, entries);
  }

  reset({ position }: HistoryReset): void {
    if (!this.isLive) return;
    this.at = position;
    this.stretch = { after: position.seq, data: [] };
  }

  private checkFirst({ position, missed, entries, documents }: RoomStart): void {
    const { from } = this;
    if (documents || !from) return;
    if (missed !== position.seq - from.seq) this.fail(`missed ${missed} from ${from.seq} to ${position.seq}`);
    if (missed > 0 && entries[0]?.first !== from.seq + 1) this.fail(`begins at ${entries[0]?.first}`);
  }

  private take(epoch: string, entries: readonly LogEntry[]): void {
    for (const { first, events } of entries) {
      if (first !== this.at!.seq + 1) this.fail(`got ${first} after ${this.at!.seq}`);
      this.stretch!.data.push(...events.map(({ data }) => data));
      this.at = { epoch, seq: first + events.length - 1 };
    }
  }

  private fail(what: string): never {
    throw new Error(`client ${this.name} (from ${JSON.stringify(this.from)}): ${what}`);
  }
}
