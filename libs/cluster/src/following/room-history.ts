import { type LogEntry, lastSeq } from '@wss/protocol';
import { entriesAfter, sizeOf } from './log-entries.js';

/** Events of a room that a node keeps at hand as they pass. */
const LIVE_EVENTS = 256;
/** Largest amount of data, characters. */
const MAX_CHARACTERS = 4_194_304;

/** The newest part of one room's log, in the node's memory: the events since the node follows the room. */
export class RoomHistory {
  private entries: LogEntry[] = [];
  private characters = 0;

  /** @param next number that the next event will have */
  constructor(private next: number) {}

  /** Number of the oldest event at hand; the next one's if there is none. */
  get first(): number {
    return this.entries[0]?.first ?? this.next;
  }

  /** Adds entries that follow those at hand. */
  append(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      this.entries.push(entry);
      this.characters += sizeOf(entry);
      this.next = lastSeq(entry) + 1;
    }
    this.trim();
  }

  /** Forgets everything; the next event has this number. */
  restart(next: number): void {
    this.entries = [];
    this.characters = 0;
    this.next = next;
  }

  /** Returns whole entries from the one that has the event after this one; undefined if some are not at hand. */
  since(seq: number): LogEntry[] | undefined {
    return seq < this.first - 1 ? undefined : entriesAfter(this.entries, seq);
  }

  private trim(): void {
    if (this.entries.length <= 2 * LIVE_EVENTS && this.characters <= MAX_CHARACTERS) return;
    let from = Math.max(0, this.entries.length - LIVE_EVENTS);
    this.characters = this.entries.slice(from).reduce((sum, entry) => sum + sizeOf(entry), 0);
    while (this.characters > MAX_CHARACTERS) this.characters -= sizeOf(this.entries[from++]!);
    this.entries = this.entries.slice(from);
  }
}
