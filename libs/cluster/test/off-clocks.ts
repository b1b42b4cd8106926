const HOUR_MS = 3_600_000;

/** How far the clock of this process is off, ms, as a function of steady time. */
export type ClockOffset = () => number;

/** Nodes' clocks that are off. */
export const CLOCKS: [what: string, offset: ClockOffset][] = [
  ['an hour behind', () => -HOUR_MS],
  ['an hour ahead', () => HOUR_MS],
  ['set by hours ten times a second', () => [0, HOUR_MS, -HOUR_MS][Math.floor(performance.now() / 100) % 3]!],
];

/** Lets the wall clock of this process be off until the returned function is called. */
export function setClock(offset: ClockOffset): () => void {
  const now = Date.now;
  Date.now = () => now() + offset();
  return () => void (Date.now = now);
}

/** Lets the wall clock of this process be off while work is done. */
export async function withClock(offset: ClockOffset, work: () => Promise<void>): Promise<void> {
  const restore = setClock(offset);
  try {
    await work();
  } finally {
    restore();
  }
}
