import { type LogEntry, lastSeq } from '@wss/protocol';

/** Returns whole entries, in order, from the one that has the event after this one. */
export function entriesAfter(entries: readonly LogEntry[], seq: number): LogEntry[] {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lastSeq(entries[middle]!) > seq) high = middle;
    else low = middle + 1;
  }
  return entries.slice(low);
}

/** Returns the entries without those events of the first one that were seen already. */
export function withoutSeen(entries: readonly LogEntry[], seq: number): readonly LogEntry[] {
  const [head, ...rest] = entries;
  if (!head || head.first > seq) return entries;
  return [{ ...head, first: seq + 1, events: head.events.slice(seq + 1 - head.first) }, ...rest];
}

/** Returns the first entries that fit into this many characters together; at least one. */
export function firstPart(entries: readonly LogEntry[], characters: number): readonly LogEntry[] {
  let left = characters;
  const end = entries.findIndex((entry, index) => {
    left -= sizeOf(entry);
    return left < 0 && index > 0;
  });
  return end < 0 ? entries : entries.slice(0, end);
}

/** Characters of an entry's data. */
export function sizeOf({ events, patch }: LogEntry): number {
  return events.reduce((sum, { data }) => sum + data.length, patch?.length ?? 0);
}
