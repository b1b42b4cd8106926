import { MemoryTable } from './table.memory.js';
import type { RateCharge } from '@wss/core';

/** Number of rates from which on those that are over are looked for. */
const MIN_SWEEP = 1_024;

/** Rate limits by name → the time until which each is charged, µs since 1970. */
export class RateTable extends MemoryTable<number> {
  readonly name = 'rates';
  override readonly isReplicated = true;
  private sweepAt = MIN_SWEEP;

  /** Notes until when a limit is charged; limits that are not charged any more are forgotten now and then. */
  charge(name: string, untilUs: number, nowUs: number): void {
    if (this.rows.size >= this.sweepAt) {
      for (const [known, until] of this.rows) if (until <= nowUs) this.rows.delete(known);
      this.sweepAt = Math.max(MIN_SWEEP, 2 * this.rows.size);
    }
    this.rows.set(name, untilUs);
  }
}

/** The verdict on the charges of one entry. */
export type ChargeVerdict = { readonly charge: number; readonly retryInMs: number } | undefined;

/** Judges the charges of one commit, entry by entry; the twin of `charge` in `room_commit_judge.lua`. */
export class ChargeJudge {
  private readonly charged = new Map<string, number>();

  /** @param room a prefix of the names of its limits */
  constructor(
    private readonly rates: RateTable,
    private readonly room: string,
    private readonly nowUs: number,
  ) {}

  /** Charges all of an entry's limits; if one is used up, none is charged, and the longest wait is returned. */
  charge(charges: readonly RateCharge[], firstIndex: number): ChargeVerdict {
    const { nowUs } = this;
    const ahead = new Map<string, number>();
    let waitUs = 0;
    let charge: number | undefined;
    charges.forEach(({ name, stepUs, burstUs }, index) => {
      const key = `${this.room}\n${name}`;
      const at = this.charged.get(key) ?? this.rates.rows.get(key) ?? 0;
      const next = Math.min(Math.max(at, nowUs), nowUs + burstUs) + stepUs;
      const wait = next - burstUs - nowUs;
      if (wait > waitUs) [waitUs, charge] = [wait, firstIndex + index];
      ahead.set(key, next);
    });
    if (charge !== undefined) return { charge, retryInMs: Math.ceil(waitUs / 1_000) };
    for (const [key, at] of ahead) this.charged.set(key, at);
    return undefined;
  }

  /** Notes what was charged, once the commit is written. */
  write(): void {
    for (const [key, at] of this.charged) this.rates.charge(key, at, this.nowUs);
  }
}
