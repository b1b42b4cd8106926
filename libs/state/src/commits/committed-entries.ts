import type { EncodedEvent, LogEntry } from '@wss/protocol';
import { fillSlots } from '../store/counter-slots.js';
import type { CommitEntry, Committed } from '../store/room-store.js';

/** Hears of every commit of this node, with its log entries. */
export type CommittedListener = (room: string, epoch: string, entries: readonly LogEntry[]) => void;

/** The log entries of a commit, as the engine stored them. */
export function committedEntries(entries: readonly CommitEntry[], reply: Committed): LogEntry[] {
  const logged: LogEntry[] = [];
  let operation = 0;
  for (const [index, { events, patch, counters, ending }] of entries.entries()) {
    const from = operation;
    operation += counters?.length ?? 0;
    if (events.length === 0) continue;
    const filled = counters ? withResults(events, reply.counters.slice(from, operation)) : events;
    const first = reply.seqs[index]! - events.length + 1;
    if (ending) logged.push({ first, events, ending });
    else logged.push(patch === undefined ? { first, events: filled } : { first, events: filled, patch });
  }
  return logged;
}

function withResults(events: readonly EncodedEvent[], results: readonly number[]): EncodedEvent[] {
  return events.map(({ event, data }) => ({ event, data: fillSlots(data, results) }));
}
