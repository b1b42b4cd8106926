import { type LogEntry, lastSeq } from '@wss/protocol';
import { entriesAfter, sizeOf } from './log-entries.js';

/** How long a part that was read is kept, ms: clients that come at the same time share it. */
const KEEP_MS = 10_000;
/** Largest amount of data of all parts, characters. */
const MAX_CHARACTERS = 33_554_432;

/** A part of a room's log. */
export interface ReadPart {
  readonly room: string;
  /** Epoch that the room was in when it was read. */
  readonly epoch: string;
  /** The part begins right after this number and has no gap. */
  readonly after: number;
  /** At least one. */
  readonly entries: readonly LogEntry[];
}

interface KeptPart extends ReadPart {
  readonly to: number;
  readonly characters: number;
  /** On the steady clock. */
  readonly until: number;
}

/** Parts of rooms' logs that a node has read for its clients, for a while. */
export class ReadParts {
  /** Oldest first. */
  private readonly kept = new Set<KeptPart>();
  private readonly byRoom = new Map<string, Set<KeptPart>>();
  private characters = 0;

  /** Number of parts at hand. */
  get size(): number {
    return this.kept.size;
  }

  add(part: ReadPart): void {
    const characters = part.entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
    const until = performance.now() + KEEP_MS;
    const kept = { ...part, to: lastSeq(part.entries.at(-1)!), characters, until };
    this.kept.add(kept);
    const ofRoom = this.byRoom.get(part.room) ?? new Set();
    this.byRoom.set(part.room, ofRoom.add(kept));
    this.characters += characters;
    for (const oldest of this.kept) {
      if (this.characters <= MAX_CHARACTERS || oldest === kept) break;
      this.drop(oldest);
    }
  }

  /**
   * Returns whole entries from the one that has the event after this one, as far as a part goes; undefined if no part
   * has it.
   */
  find(room: string, epoch: string, seq: number): LogEntry[] | undefined {
    for (const part of this.byRoom.get(room) ?? []) {
      if (part.epoch === epoch && part.after <= seq && seq < part.to) return entriesAfter(part.entries, seq);
    }
    return undefined;
  }

  /** Drops parts that were kept for long enough. */
  expire(): void {
    const now = performance.now();
    for (const part of this.kept) {
      if (part.until > now) return;
      this.drop(part);
    }
  }

  /** Nobody here is in the room any more. */
  forget(room: string): void {
    for (const part of this.byRoom.get(room) ?? []) this.drop(part);
  }

  private drop(part: KeptPart): void {
    this.kept.delete(part);
    this.characters -= part.characters;
    const ofRoom = this.byRoom.get(part.room)!;
    ofRoom.delete(part);
    if (ofRoom.size === 0) this.byRoom.delete(part.room);
  }
}
