import { type LogEntry, lastSeq } from '@wss/protocol';

/** Entries of a room that came before those they follow. */
export class EarlyEntries {
  /** By their first number. */
  private readonly entries = new Map<number, LogEntry>();

  get size(): number {
    return this.entries.size;
  }

  add(entry: LogEntry): void {
    this.entries.set(entry.first, entry);
  }

  /** Takes out what follows a number without a gap, and forgets what is older than its end. */
  takeAfter(seq: number): LogEntry[] {
    const ready: LogEntry[] = [];
    let next = seq + 1;
    for (let entry = this.entries.get(next); entry; entry = this.entries.get(next)) {
      this.entries.delete(next);
      ready.push(entry);
      next = lastSeq(entry) + 1;
    }
    if (ready.length > 0)
      for (const first of this.entries.keys()) if (first < next) this.entries.delete(first);
    return ready;
  }

  clear(): void {
    this.entries.clear();
  }
}
