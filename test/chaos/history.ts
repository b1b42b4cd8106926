import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A point in a room's history, as an answer or a frame names it. */
export interface At {
  readonly epoch: string;
  readonly seq: number;
}

/** One call of a client and its answer. Times are ms of one monotonic clock. */
export interface Operation {
  readonly type: 'operation';
  /** Unique among all attempts. */
  readonly call: number;
  readonly client: string;
  readonly room: string;
  readonly kind: 'add' | 'read';
  /** Of an add: the how manieth of this client in this room; the attempts after a declared loss share it. */
  readonly index?: number;
  /** The amount of an addition. */
  readonly by?: number;
  readonly called: number;
  returned?: number;
  /** The counter's value. */
  value?: number;
  /** Of an add: where it took effect. */
  at?: At;
  /** Of a read: number of the event that last changed the value. */
  version?: number;
  /** Answered from the record of an earlier attempt to send it. */
  dup?: boolean;
  /** Code of the error that is its recorded answer. */
  error?: string;
  /** How it was declared to its client as rolled back. */
  lost?: string;
}

/** A client's sight of a room, in order. */
export interface Seen {
  readonly type: 'seen';
  readonly client: string;
  readonly room: string;
  /**
   * `start`: it began at `seq`, knowing nothing before. `continue`: it goes on where it was. `event`: one of the log.
   * `reset`: what it saw before can't be continued; it begins anew at `seq`. `epoch`: positions from here on are of
   * `epoch`. `end`: it was still there, and had seen everything, when the run ended.
   */
  readonly what: 'start' | 'continue' | 'event' | 'reset' | 'epoch' | 'end';
  readonly seq: number;
  readonly epoch?: string;
  readonly by?: number;
  readonly value?: number;
  readonly reason?: string;
  readonly lost?: { readonly from: number; readonly to: number } | null;
  /** With `reset`: the counter as it came along. */
  readonly snapshot?: { readonly version: number; readonly value: number };
}

/** One event of a room's log, as the engine holds it at the end. */
export interface Logged {
  readonly seq: number;
  readonly by: number;
  readonly value: number;
}

/** A room as the engine holds it at the end. */
export interface FinalRoom {
  readonly type: 'room';
  readonly room: string;
  /** From the first event on. */
  readonly log: readonly Logged[];
  readonly epoch: string;
  /** Epochs that are over, and the last number that survived of each. */
  readonly closed: Readonly<Record<string, number>>;
  readonly document: { readonly version: number; readonly value: number };
}

/** Until `at` answers could come from a history that was then cut at `end`. */
export interface Rollback {
  readonly type: 'rollback';
  readonly room: string;
  readonly at: number;
  readonly end: number;
}

/** Something that must never happen and was noticed on the spot. */
export interface Violation {
  readonly type: 'violation';
  readonly text: string;
}

/** Everything that a run's checkers look at. */
export type HistoryItem = Operation | Seen | FinalRoom | Rollback | Violation;

/** Collects the calls of clients, their answers and events, in the order in which they happened. */
export class History {
  readonly items: HistoryItem[] = [];
  /** Counts of occurrences, e.g. answers from the record. */
  readonly counts = new Map<string, number>();
  private calls = 0;

  now(): number {
    return performance.now();
  }

  /** Begins a call, now unless it says when. */
  call(operation: Omit<Operation, 'type' | 'call' | 'called'> & { readonly called?: number }): Operation {
    const item: Operation = { type: 'operation', call: ++this.calls, called: this.now(), ...operation };
    this.items.push(item);
    return item;
  }

  /** The same command once more, after its first effect was declared lost. */
  repeat({ client, room, kind, index, by }: Operation): Operation {
    return this.call({
      client,
      room,
      kind,
      ...(index !== undefined && { index }),
      ...(by !== undefined && { by }),
    });
  }

  add(item: Exclude<HistoryItem, Operation>): void {
    this.items.push(item);
  }

  violation(text: string): void {
    this.items.push({ type: 'violation', text });
  }

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }

  counted(what: string): number {
    return this.counts.get(what) ?? 0;
  }

  get operations(): Operation[] {
    return this.items.filter((item): item is Operation => item.type === 'operation');
  }

  /** Every item as JSON, one a line, for other people's tools. */
  toJsonLines(): string {
    return this.items.map((item) => `${JSON.stringify(item)}\n`).join('');
  }

  static fromJsonLines(text: string): History {
    const history = new History();
    for (const line of text.split('\n')) if (line !== '') history.items.push(JSON.parse(line) as HistoryItem);
    history.calls = history.operations.length;
    return history;
  }

  /** Writes the history into a folder and returns its path. */
  save(name: string, folder: string): string {
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `${name}-${process.pid}-${Date.now()}.jsonl`);
    writeFileSync(path, this.toJsonLines());
    return path;
  }
}
