import type { CommitEntry, Outcome } from './room-store.js';

/*
 * A counter's new value is known only inside the commit, but a reply or event may name it. A placeholder
 * "\x01<index>\x02" stands for it; JSON escapes control characters, so no client can write one.
 */
const SLOT = /\x01(\d+)\x02/g;

/** The placeholder for the result of an entry's counter operation, by its index in the entry. */
export function counterSlot(index: number): string {
  return `\x01${index}\x02`;
}

/** Renumbers the placeholders of one entry for a commit in which other operations come first. */
export function shiftSlots(text: string, by: number): string {
  return text.replace(SLOT, (_slot, index: string) => counterSlot(Number(index) + by));
}

/** Replaces the placeholders of an entry by the results of its counter operations. */
export function fillSlots(text: string, results: readonly number[]): string {
  return text.replace(SLOT, (_slot, index: string) => String(results[Number(index)]));
}

/** The outcome of one entry of a commit, with the results of its counter operations. */
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
