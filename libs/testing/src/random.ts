import { randomInt } from 'node:crypto';

/** Random numbers that a seed repeats. How processes and links interleave it does not repeat. */
export class Random {
  private state: number;

  constructor(readonly seed: number) {
    this.state = seed >>> 0;
  }

  /** From 0 up to, not including, 1 (mulberry32). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** An integer from 0 up to, not including, `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  /** Random numbers for one part of a run, independent of the numbers that other parts draw. */
  fork(): Random {
    return new Random(this.below(4_294_967_296));
  }
}

/** `CHAOS_SEED`, or another seed each time. */
export function newSeed(): number {
  const { CHAOS_SEED: seed } = process.env;
  return seed ? Number(seed) : randomInt(1, 2 ** 31);
}
