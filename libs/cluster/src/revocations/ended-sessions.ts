import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { GrowingPause, LogGate } from '@wss/protocol';
import type { SessionStore, UserSession } from '../sessions/session-store.js';

/** Pauses between attempts, ms. */
const PAUSES = { firstMs: 500, mostMs: 30_000 };
/** Sessions that are ended at the same time. */
const AT_ONCE = 16;

/** Lets a user leave a room's presence, see `NodePresence.putOut`. */
export type PutOutOfRoom = (room: string, user: string, everywhere: boolean) => Promise<void>;

/**
 * Ends the sessions of revoked users that have no connection now, so that features hear of their ends soon, and lets the
 * users leave presence in the rooms of the sessions; of users who were disconnected, only that. Nobody depends on it: the
 * revocation alone keeps sessions from being resumed. One pass looks for all users who wait.
 */
export class EndedSessions {
  private readonly faults = new LogGate((line) => new Logger('Users').debug(line));
  /** User → when they were revoked; 0: they were disconnected. */
  private readonly wanted = new Map<string, number>();
  private running = false;
  private closed = false;

  constructor(
    private readonly store: SessionStore,
    private readonly putOut: PutOutOfRoom,
  ) {}

  /** Ends the sessions of a user that began at this time or before; 0: they all go on, without presence. */
  end(user: string, revokedAt: number): void {
    this.wanted.set(user, Math.max(revokedAt, this.wanted.get(user) ?? 0));
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
          part.slice(from, from + AT_ONCE).map((session) => this.endOne(session, users.get(session.user)!)),
        );
    }
  }

  private async endOne({ id, user }: UserSession, revokedAt: number): Promise<void> {
    const { rooms } = await this.store.membershipsOf(id);
    const isRevoked = revokedAt > 0;
    if (isRevoked && !(await this.store.end(id, revokedAt)).isEnded) return;
    // A user who was disconnected may be back already.
    await Promise.all(rooms.map((room) => this.putOut(room, user, isRevoked)));
  }
}
