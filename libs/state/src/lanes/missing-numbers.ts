import type { CommandNumber } from '@wss/core';

/** Largest number of sessions that are remembered. */
const MOST = 10_000;

/**
 * Numbers that came to this node and left no record: what follows them is out of order until they come again (R4).
 *
 * That holds for one connection of a session, which its generation tells. The next connection sends all that is
 * unanswered again, from the first on, and the number may have been recorded by another node meanwhile: what was
 * missing before says nothing any more.
 */
export class MissingNumbers {
  private readonly sessions = new Map<string, { readonly generation: number; readonly n: number }>();

  /** Notes that the number ended without a record. */
  note({ session, generation, n }: CommandNumber): void {
    const known = this.sessions.get(session);
    if (known && (known.generation > generation || (known.generation === generation && known.n <= n))) return;
    if (this.sessions.size >= MOST) this.sessions.clear();
    this.sessions.set(session, { generation, n });
  }

  /** Notes that the number came again. */
  found(number: CommandNumber): void {
    if (this.missing(number) === number.n) this.sessions.delete(number.session);
  }

  /** Returns the missing number before this one; undefined if none is missing. */
  before(number: CommandNumber): number | undefined {
    const n = this.missing(number);
    return n !== undefined && n < number.n ? n : undefined;
  }

  private missing({ session, generation }: CommandNumber): number | undefined {
    const known = this.sessions.get(session);
    return known?.generation === generation ? known.n : undefined;
  }
}
