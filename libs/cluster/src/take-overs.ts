import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { GrowingPause } from '@wss/protocol';

/** A session that has a connection on this node. */
export interface SessionHere {
  readonly id: string;
  readonly generation: number;
}

/** What take-overs work with. */
export interface TakeOverOptions {
  /** Tells all nodes that a session of this user goes on with a generation. */
  readonly announce: (user: string, session: SessionHere) => Promise<void>;
  /** The newest generation of each session in the engine; nothing where it has none. */
  readonly generationsOf: (sessions: readonly string[]) => Promise<readonly (number | undefined)[]>;
  /** Sessions of a user that have a connection here. */
  readonly sessionsOf: (user: string) => readonly SessionHere[];
  /** A session goes on with this generation; older connections of it must end. */
  readonly takenOver: (session: string, generation: number) => void;
}

/** Most sessions in one comparison. */
const MAX_COMPARED = 500;
/** Pauses between attempts, ms. */
const PAUSES = { firstMs: 100, mostMs: 5_000 };

/**
 * Ends all connections of a session but the newest, on every node. The newest one is announced, until that succeeds.
 * Who may have missed an announcement compares with the engine, which raised the generation before it was announced:
 * once a node hears the user's channel, whatever it does not find in the engine then is announced to it.
 */
export class TakeOvers {
  private readonly logger = new Logger('Sessions');
  /** What other nodes are still to be told, by session. */
  private readonly untold = new Map<string, { readonly user: string; readonly session: SessionHere }>();
  /** Users whose sessions here are to be compared. */
  private readonly doubted = new Set<string>();
  private working = false;
  private closed = false;

  constructor(private readonly options: TakeOverOptions) {}

  /** A session goes on here. */
  resumed(user: string, session: SessionHere): void {
    this.untold.set(session.id, { user, session });
    this.wake();
  }

  /** This node hears of the user's sessions from now on, and may have missed something until now. */
  heard(user: string): void {
    this.doubted.add(user);
    this.wake();
  }

  close(): void {
    this.closed = true;
  }

  private wake(): void {
    if (this.working) return;
    this.working = true;
    void this.work();
  }

  private async work(): Promise<void> {
    const pause = new GrowingPause(PAUSES);
    for (let failed = false; !this.closed && this.untold.size + this.doubted.size > 0;) {
      const results = await Promise.allSettled([this.tellAll(), this.compare()]);
      const failure = results.find((result) => result.status === 'rejected');
      if (failure && !failed)
        this.logger.warn(`take-overs of sessions are settled later: ${(failure.reason as Error).message}`);
      failed = failure !== undefined;
      if (failed) await delay(pause.next(), undefined, { ref: false });
      else pause.reset();
    }
    this.working = false;
  }

  private async tellAll(): Promise<void> {
    const told = [...this.untold.values()].map(async (entry) => {
      if (this.isHere(entry)) await this.options.announce(entry.user, entry.session);
      if (this.untold.get(entry.session.id) === entry) this.untold.delete(entry.session.id);
    });
    const failed = (await Promise.allSettled(told)).find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  private async compare(): Promise<void> {
    const users: string[] = [];
    const here: SessionHere[] = [];
    for (const user of this.doubted) {
      if (here.length >= MAX_COMPARED) break;
      users.push(user);
      here.push(...this.options.sessionsOf(user));
      this.doubted.delete(user);
    }
    if (here.length === 0) return;
    try {
      const generations = await this.options.generationsOf(here.map(({ id }) => id));
      here.forEach(({ id, generation }, index) => {
        const newest = generations[index] ?? 0;
        if (newest > generation) this.options.takenOver(id, newest);
      });
    } catch (error) {
      for (const user of users) this.doubted.add(user);
      throw error;
    }
  }

  private isHere({ user, session }: { readonly user: string; readonly session: SessionHere }): boolean {
    return this.options
      .sessionsOf(user)
      .some(({ id, generation }) => id === session.id && generation === session.generation);
  }
}
