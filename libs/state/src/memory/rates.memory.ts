import { MemoryTable } from './table.memory.js';
import type { RateCharge } from '@wss/core';

/** Rate limits by name → the time until which each is charged, µs since 1970. */
export class RateTable extends MemoryTable<number> {
  readonly name = 'rates';
  override readonly isReplicated = true;
}

/** The verdict on the charges of one entry. */
export type ChargeVerdict = { readonly limit: string; readonly retryInMs: number } | undefined;

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
  charge(charges: readonly RateCharge[]): ChargeVerdict {
    const { nowUs } = this;
    const ahead = new Map<string, number>();
    let waitUs = 0;
    let limit: string | undefined;
    for (const { name, stepUs, burstUs } of charges) {
      const key = `${this.room}\n${name}`;
      const at = this.charged.get(key) ?? this.rates.rows.get(key) ?? 0;
      const next = Math.min(Math.max(at, nowUs), nowUs + burstUs) + stepUs;
      const wait = next - burstUs - nowUs;
      if (wait > waitUs) [waitUs, limit] = [wait, name];
      ahead.set(key, next);
    }
    if (limit !== undefined) return { limit, retryInMs: Math.ceil(waitUs / 1_000) };
    for (const [key, at] of ahead) this.charged.set(key, at);
    return undefined;
  }

  /** Notes what was charged, once the commit is written. */
  write(): void {
    const { rates, nowUs } = this;
    if (this.charged.size > 0) rates.sweep((until) => until <= nowUs);
    for (const [key, at] of this.charged) rates.rows.set(key, at);
  }
}
