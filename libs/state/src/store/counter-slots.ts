import type { CommitEntry, Outcome } from './room-store.js';

/*
 * A counter's new value is known only inside the commit, but a reply or event may name it. Its place is held by
 * "\x01<index>\x02"; JSON escapes control characters, so no client can write such a place.
 */
const SLOT = /\x01(\d+)\x02/g;

/** Holds the place of the result of an entry's counter operation, by its index in the entry. */
export function counterSlot(index: number): string {
  return `\x01${index}\x02`;
}

/** Renumbers the places of one entry for a commit in which other operations come before its own. */
export function shiftSlots(text: string, by: number): string {
  return text.replace(SLOT, (_slot, index: string) => counterSlot(Number(index) + by));
}

/** Puts the results of an entry's counter operations into their places. */
export function fillSlots(text: string, results: readonly number[]): string {
  return text.replace(SLOT, (_slot, index: string) => String(results[Number(index)]));
}

/** The outcome of one entry of a commit, with the results of its counter operations in their places. */
export function fillOutcome(
  outcome: Outcome,
  entries: readonly CommitEntry[],
  index: number,
  results: readonly number[],
): Outcome {
  const count = entries[index]!.counters?.length ?? 0;
  if (count === 0 || !('json' in outcome)) return outcome;
  const before = entries.slice(0, index).reduce((sum, { counters = [] }) => sum + counters.length, 0);
  return { kind: outcome.kind, json: fillSlots(outcome.json, results.slice(before, before + count)) };
}
