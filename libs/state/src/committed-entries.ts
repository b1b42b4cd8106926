import type { LogEntry } from '@wss/protocol';
import { fillSlots } from './counter-slots.js';
import type { CommitEntry, Committed } from './room-store.js';

/** Told of every commit of this node, with the log entries that it made. */
export type CommittedListener = (room: string, epoch: string, entries: readonly LogEntry[]) => void;

/** The log entries of a commit, as the engine stored them. */
export function committedEntries(entries: readonly CommitEntry[], reply: Committed): LogEntry[] {
  let operation = 0;
  return entries.flatMap(({ events, patch, counters = [] }, index) => {
    const results = reply.counters.slice(operation, (operation += counters.length));
    if (events.length === 0) return [];
    const first = reply.seqs[index]! - events.length + 1;
    const filled =
      results.length === 0 ? events : events.map((e) => ({ ...e, data: fillSlots(e.data, results) }));
    return [patch === undefined ? { first, events: filled } : { first, events: filled, patch }];
  });
}
