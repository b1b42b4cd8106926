import { type LogEntry, lastSeq } from '@wss/protocol';

/** Events of a room that a node keeps at hand as they pass. */
const LIVE_EVENTS = 256;
/** How long a whole log that had to be read is kept at hand, ms: a storm of reconnecting clients reads it once. */
const WHOLE_MS = 30_000;
/** Most characters of data at hand, even of a whole log. */
const MAX_CHARACTERS = 4_194_304;

/** The newest part of one room's log, in the node's memory. */
export class RoomHistory {
  private entries: LogEntry[] = [];
  private characters = 0;
  private wholeUntil = -Infinity;

  /** @param next number that the next event will have */
  constructor(private next: number) {}

  /** Number of the oldest event at hand; the next one's if there is none. */
  get first(): number {
    return this.entries[0]?.first ?? this.next;
  }

  /** Adds entries that follow those at hand. */
  append(entries: readonly LogEntry[]): void {
    for (const entry of entries) this.push(entry);
    this.trim();
  }

  /** Takes all of the log that there is. */
  replace(entries: readonly LogEntry[], next: number): void {
    this.entries = [];
    this.characters = 0;
    this.next = next;
    this.wholeUntil = performance.now() + WHOLE_MS;
    this.append(entries);
    this.next = next;
  }

  /** Forgets everything; the next event has this number. */
  restart(next: number): void {
    this.replace([], next);
    this.wholeUntil = -Infinity;
  }

  /** What came after an event, without a gap; undefined if not all of it is at hand. */
  since(seq: number): LogEntry[] | undefined {
    if (seq < this.first - 1) return undefined;
    const from = this.indexAfter(seq);
    const found = this.entries.slice(from);
    const [head] = found;
    if (head && head.first <= seq) {
      const skipped = seq - head.first + 1;
      found[0] = { ...head, first: seq + 1, events: head.events.slice(skipped) };
    }
    return found;
  }

  /** The newest events, rounded up to whole entries; fewer if there are not as many. */
  newest(count: number): LogEntry[] {
    let found = 0;
    let index = this.entries.length;
    while (index > 0 && found < count) found += this.entries[--index]!.events.length;
    return this.entries.slice(index);
  }

  private push(entry: LogEntry): void {
    this.entries.push(entry);
    this.characters += sizeOf(entry);
    this.next = lastSeq(entry) + 1;
  }

  private trim(): void {
    const whole = performance.now() < this.wholeUntil;
    const most = whole ? Infinity : 2 * LIVE_EVENTS;
    if (this.entries.length <= most && this.characters <= MAX_CHARACTERS) return;
    let from = whole ? 0 : Math.max(0, this.entries.length - LIVE_EVENTS);
    this.characters = this.entries.slice(from).reduce((sum, entry) => sum + sizeOf(entry), 0);
    while (this.characters > MAX_CHARACTERS) this.characters -= sizeOf(this.entries[from++]!);
    this.entries = this.entries.slice(from);
  }

  /** Index of the first entry that ends after this event. */
  private indexAfter(seq: number): number {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (lastSeq(this.entries[middle]!) > seq) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function sizeOf({ events, patch }: LogEntry): number {
  return events.reduce((sum, { data }) => sum + data.length, patch?.length ?? 0);
}
