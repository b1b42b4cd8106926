import type { CommandNumber } from '@wss/core';
import { MissingNumbers } from './missing-numbers.js';

/** Largest number of sessions in a room whose highest number is remembered. */
const MAX_REMEMBERED = 10_000;

/** A node's knowledge of the numbers of its sessions in one room: which are recorded, and which left no record. */
export class SessionNumbers {
  private readonly highest = new Map<string, { n: number; generation: number }>();
  private readonly missing = new MissingNumbers();

  /** Notes that the number came, for the first time or again. */
  came(number: CommandNumber): void {
    this.missing.found(number);
  }

  /** Notes that the number was recorded by this node, so that no number of an older connection will be any more. */
  recorded({ session, n, generation }: CommandNumber): void {
    this.raise(session, n, generation);
  }

  /** Notes that the number has a record. */
  found({ session, n }: CommandNumber): void {
    this.raise(session, n, 0);
  }

  private raise(session: string, n: number, generation: number): void {
    const known = this.highest.get(session);
    if (known) {
      if (n > known.n) known.n = n;
      if (generation > known.generation) known.generation = generation;
      return;
    }
    if (this.highest.size >= MAX_REMEMBERED) this.highest.clear();
    this.highest.set(session, { n, generation });
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
    return n <= (this.highest.get(session)?.n ?? 0);
  }

  /** True if the number is known to have no record. */
  isNew({ session, n, generation }: CommandNumber): boolean {
    const known = this.highest.get(session);
    return known !== undefined && known.generation === generation && n > known.n;
  }

  /** Returns the missing number before this one; undefined if none is missing. */
  missingBefore(number: CommandNumber): number | undefined {
    return this.missing.before(number);
  }
}
