import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { Slots } from '@wss/core';
import { GrowingPause, LogGate } from '@wss/protocol';

/** A session with a connection on this node. */
export interface SessionHere {
  readonly id: string;
  readonly generation: number;
}

/** Dependencies of take-overs. */
export interface TakeOverOptions {
  /** Announces to all nodes that a session of this user goes on with a generation. */
  readonly announce: (user: string, session: SessionHere) => Promise<void>;
  /** Returns the newest generation of each session in the engine; undefined for unknown ones. */
  readonly generationsOf: (sessions: readonly string[]) => Promise<readonly (number | undefined)[]>;
  /** Sessions of a user that have a connection here. */
  readonly sessionsOf: (user: string) => readonly SessionHere[];
  /** Ends older connections of a session that goes on with this generation. */
  readonly takenOver: (session: string, generation: number) => void;
  /** Compares the standings of users, too. Default: they have none. */
  readonly judge?: (users: readonly string[]) => Promise<void>;
}

interface Resumed {
  readonly user: string;
  readonly session: SessionHere;
}

/** Largest number of users in one comparison. */
const MAX_COMPARED = 500;
/** Comparisons at once, so that a node with many users holds up neither itself nor the engine when it comes back. */
const COMPARED_AT_ONCE = 2;
/** How long a comparison holds up the next ones, ms. */
const FIRST_MS = 100;
/** Pauses between attempts, ms. */
const PAUSES = { firstMs: 100, mostMs: 5_000 };

/**
 * Ends all connections of a session but the newest, on every node. The newest one is announced, until that succeeds.
 * A node that may have missed one compares with the engine, which raised the generation before it was announced:
 * once a node hears the user's channel, whatever it does not find in the engine then is announced to it.
 *
 * A failed part waits for itself: the part of the engine that is out of reach may be that of one user.
 */
export class TakeOvers {
  private readonly logger = new Logger('Sessions');
  private readonly faults = new LogGate((line) => this.logger.warn(line));
  /** Announcements that other nodes are still to get, by session. */
  private readonly untold = new Map<string, Resumed>();
  /** Users whose sessions here are to be compared, in the next comparison. */
  private readonly fresh = new Set<string>();
  /** Users whose sessions here are being compared → in which comparison. */
  private readonly compared = new Map<string, object>();
  private readonly first = new Slots(COMPARED_AT_ONCE);
  private closed = false;

  constructor(private readonly options: TakeOverOptions) {}

  /** A session goes on here. */
  resumed(user: string, session: SessionHere): void {
    const resumed = { user, session };
    this.untold.set(session.id, resumed);
    void this.tell(resumed);
  }

  /** Notes that this node hears of the user's sessions from now on, and may have missed a take-over until now. */
  heard(user: string): void {
    if (this.fresh.size === 0) queueMicrotask(() => this.compareFresh());
    this.fresh.add(user);
  }

  close(): void {
    this.closed = true;
  }

  private async tell(resumed: Resumed): Promise<void> {
    const { user, session } = resumed;
    const pause = new GrowingPause(PAUSES);
    const isCurrent = (): boolean => !this.closed && this.untold.get(session.id) === resumed;
    while (isCurrent()) {
      try {
        if (this.isHere(resumed)) await this.options.announce(user, session);
        if (isCurrent()) this.untold.delete(session.id);
      } catch (error) {
        await this.wait(pause, error as Error);
      }
    }
  }

  private compareFresh(): void {
    const users = [...this.fresh];
    this.fresh.clear();
    for (let from = 0; from < users.length; from += MAX_COMPARED)
      this.compareFirst(users.slice(from, from + MAX_COMPARED));
  }

  /** Only first attempts wait for others: what can't be compared must not hold up the rest. */
  private compareFirst(users: readonly string[]): void {
    void this.first.run(async () => {
      const attempt = this.compare(users, new GrowingPause(PAUSES));
      await Promise.race([attempt, delay(FIRST_MS, undefined, { ref: false })]);
    });
  }

  /** After a failure each half is compared by itself, until only the users that can't be compared are left. */
  private async compare(users: readonly string[], pause: GrowingPause): Promise<void> {
    if (this.closed || users.length === 0) return;
    const comparison = {};
    for (const user of users) this.compared.set(user, comparison);
    const left = (): string[] => users.filter((user) => this.compared.get(user) === comparison);
    try {
      await this.compareOnce(users);
      for (const user of left()) this.compared.delete(user);
    } catch (error) {
      await this.wait(pause, error as Error);
      const late = left();
      if (late.length < 2) return this.compare(late, pause);
      const half = late.length >> 1;
      for (const part of [late.slice(0, half), late.slice(half)])
        void this.compare(part, new GrowingPause(PAUSES));
    }
  }

  private async compareOnce(users: readonly string[]): Promise<void> {
    await Promise.all([this.options.judge?.(users), this.compareSessions(users)]);
  }

  private async compareSessions(users: readonly string[]): Promise<void> {
    const here = users.flatMap((user) => this.options.sessionsOf(user));
    if (here.length === 0) return;
    const generations = await this.options.generationsOf(here.map(({ id }) => id));
    here.forEach(({ id, generation }, index) => {
      const newest = generations[index] ?? 0;
      if (newest > generation) this.options.takenOver(id, newest);
    });
  }

  private async wait(pause: GrowingPause, error: Error): Promise<void> {
    this.faults.report('late', `take-overs of sessions can't be settled now: ${error.message}`);
    await delay(pause.next(), undefined, { ref: false });
  }

  private isHere({ user, session }: Resumed): boolean {
    return this.options
      .sessionsOf(user)
      .some(({ id, generation }) => id === session.id && generation === session.generation);
  }
}
