import type { CommandNumber } from '@wss/core';
import { MissingNumbers } from './missing-numbers.js';

/** Largest number of sessions in a room whose highest number is remembered. */
const MAX_REMEMBERED = 10_000;

/** A node's knowledge of the numbers of its sessions in one room: which are recorded, and which left no record. */
export class SessionNumbers {
  private readonly highest = new Map<string, number>();
  private readonly missing = new MissingNumbers();

  /** Notes that the number came, for the first time or again. */
  came(number: CommandNumber): void {
    this.missing.found(number);
  }

  /** Notes that the number is recorded. */
  recorded({ session, n }: CommandNumber): void {
    if (this.highest.size >= MAX_REMEMBERED) this.highest.clear();
    this.highest.set(session, Math.max(n, this.highest.get(session) ?? 0));
  }

  /** Notes that the number ended without a record. */
  unrecorded(number: CommandNumber): void {
    if (!this.isRepeat(number)) this.missing.note(number);
  }

  /** Forgets a session whose numbers the engine does not know any more. */
  forget(session: string): void {
    this.highest.delete(session);
  }

  /** True if the number is known to be recorded. */
  isRepeat({ session, n }: CommandNumber): boolean {
    return n <= (this.highest.get(session) ?? 0);
  }

  /** Returns the missing number before this one; undefined if none is missing. */
  missingBefore(number: CommandNumber): number | undefined {
    return this.missing.before(number);
  }
}
