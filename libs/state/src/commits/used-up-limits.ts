import type { RateCharge } from '@wss/core';
import type { Verdict } from '../store/room-store.js';

/** Limits of a room that may be remembered. */
const MOST = 1_000;

/**
 * Limits of a room that the engine refused, and until when it would: charges only move that further, so commands that come
 * before then need not be begun.
 */
export class UsedUpLimits {
  /** Names → the time until which they are used up, ms on the node's steady clock. */
  private readonly until = new Map<string, number>();

  /** Notes what the engine's verdicts say. */
  note(verdicts: readonly Verdict[], now: number): void {
    for (const verdict of verdicts) {
      if (verdict.kind !== 'limited') continue;
      if (this.until.size >= MOST) this.until.clear();
      this.until.set(verdict.limit, now + verdict.retryInMs);
    }
  }

  /** How long one of the charges is used up, ms; 0 if that is not known. */
  waitOf(charges: readonly RateCharge[], now: number): number {
    if (this.until.size === 0) return 0;
    return charges.reduce((wait, { name }) => Math.max(wait, (this.until.get(name) ?? 0) - now), 0);
  }
}
