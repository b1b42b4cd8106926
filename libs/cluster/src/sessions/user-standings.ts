import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { Standing } from '@wss/core';
import { GrowingPause, LogGate } from '@wss/protocol';
import type { StandingStore } from '../users/standing-store.js';

/** This node's clients, as their users' standings concern them. */
export interface StandingListener {
  /** Puts out the clients of a user that the standing does not let go on. */
  judge(user: string, standing: Standing): void;
  /**
   * Lets the frames of rooms wait for a user's clients until {@link release}, and whatever follows them; or all frames
   * but those that may overtake.
   */
  hold(user: string, what: 'rooms' | 'all'): void;
  /** Lets the clients of a user have what waits. */
  release(user: string): void;
  /** The highest generation of a user's clients here; 0 without any. */
  newestOf(user: string): number;
}

/** Dependencies and settings of the standings of a node's users. */
export interface UserStandingsOptions {
  readonly store: StandingStore;
  readonly listener: StandingListener;
  /** Sends a standing to all nodes that have clients of the user. */
  readonly publish: (user: string, standing: Standing) => Promise<void>;
  /** True if a user may have only one connection. */
  readonly single: boolean;
}

/** Pauses between attempts to tell the other nodes, ms. */
const PAUSES = { firstMs: 50, mostMs: 2_000 };

/**
 * Binds the connections of this node to their users' standings: by what is heard, and, where this node may have missed
 * something, by comparison with the engine. Changes are told to the other nodes until that succeeds.
 */
export class UserStandings {
  private readonly faults = new LogGate((line) => new Logger('Users').warn(line));
  private closed = false;

  constructor(private readonly options: UserStandingsOptions) {}

  /** Takes a standing that was heard. It may be an older one, so it ends no waiting. */
  heard(user: string, standing: Standing): void {
    this.options.listener.judge(user, standing);
  }

  /**
   * Compares the clients of these users with the engine.
   * @throws RedisError when the engine is out of reach
   */
  async compare(users: readonly string[]): Promise<void> {
    const { store, listener, single } = this.options;
    const standings = await store.of(users);
    users.forEach((user, index) => {
      const standing = standings[index]!;
      listener.judge(user, standing);
      listener.release(user);
      // Redis has lost that the newest connection is here, so that an older one elsewhere may have come through.
      if (single && listener.newestOf(user) > Math.max(standing.newest, standing.disconnected))
        void this.restore(user);
    });
  }

  /**
   * Gives a connection that begins its generation.
   * @throws RedisError when the engine is out of reach
   */
  async enter(user: string, standing: Standing): Promise<number> {
    if (!this.options.single) return Math.max(standing.newest, standing.disconnected);
    const raised = await this.options.store.raise(user, 'newest');
    void this.tell(user, raised);
    return raised.newest;
  }

  /** Tells all nodes the standing of a user; resolves when that has succeeded. One that comes late changes nothing. */
  tell(user: string, standing: Standing): Promise<void> {
    return this.untilTold(() => this.options.publish(user, standing));
  }

  /** Stops telling. */
  close(): void {
    this.closed = true;
  }

  /** Tells other nodes something until that succeeds, or this node stops. */
  async untilTold(tell: () => Promise<void>): Promise<void> {
    const pause = new GrowingPause(PAUSES);
    while (!this.closed) {
      try {
        return await tell();
      } catch (error) {
        this.faults.report('late', `other nodes can't be told of a user now: ${(error as Error).message}`);
        await delay(pause.next(), undefined, { ref: false });
      }
    }
  }

  private async restore(user: string): Promise<void> {
    const own = this.options.listener.newestOf(user);
    try {
      if (own > 0) await this.tell(user, await this.options.store.raise(user, 'newest', own));
    } catch (error) {
      // The next comparison, after the link is back, finds it again.
      this.faults.report('restore', `a user's newest connection can't be noted: ${(error as Error).message}`);
    }
  }
}
