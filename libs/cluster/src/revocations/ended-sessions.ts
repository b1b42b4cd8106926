import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { GrowingPause, LogGate } from '@wss/protocol';
import type { SessionStore } from '../sessions/session-store.js';

/** Pauses between attempts, ms. */
const PAUSES = { firstMs: 500, mostMs: 30_000 };
/** Sessions that are ended at the same time. */
const AT_ONCE = 16;

/**
 * Ends the sessions of revoked users that have no connection now, so that features hear of their ends soon. Nobody
 * depends on it: the revocation alone keeps them from being resumed. One pass looks for all users who wait.
 */
export class EndedSessions {
  private readonly faults = new LogGate((line) => new Logger('Users').debug(line));
  /** User → when they were revoked. */
  private readonly wanted = new Map<string, number>();
  private running = false;
  private closed = false;

  constructor(private readonly store: SessionStore) {}

  /** Ends the sessions of a user that began at this time or before. */
  end(user: string, revokedAt: number): void {
    this.wanted.set(user, revokedAt);
    if (!this.running) void this.run();
  }

  close(): void {
    this.closed = true;
  }

  private async run(): Promise<void> {
    this.running = true;
    const pause = new GrowingPause(PAUSES);
    while (this.wanted.size > 0 && !this.closed) {
      const users = new Map(this.wanted);
      try {
        await this.pass(users);
        for (const [user, at] of users) if (this.wanted.get(user) === at) this.wanted.delete(user);
        pause.reset();
      } catch (error) {
        this.faults.report(
          'pass',
          `sessions of revoked users can't be ended now: ${(error as Error).message}`,
        );
        await delay(pause.next(), undefined, { ref: false });
      }
    }
    this.running = false;
  }

  private async pass(users: ReadonlyMap<string, number>): Promise<void> {
    for await (const part of this.store.sessionsOf(new Set(users.keys()))) {
      if (this.closed) return;
      for (let from = 0; from < part.length; from += AT_ONCE)
        await Promise.all(
          part.slice(from, from + AT_ONCE).map(({ id, user }) => this.store.end(id, users.get(user))),
        );
    }
  }
}
