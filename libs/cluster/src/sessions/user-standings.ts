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

/** Why a user's clients wait. */
interface Wait {
  /** True once the user's channel is heard again. */
  isHeard: boolean;
}

/** Pauses between attempts to tell the other nodes, ms. */
const PAUSES = { firstMs: 50, mostMs: 2_000 };

/**
 * Binds the connections of this node to their users' standings: by what is heard, and, where this node may have missed
 * something, by comparison with the engine. Changes are told to the other nodes until that succeeds.
 */
export class UserStandings {
  private readonly faults = new LogGate((line) => new Logger('Users').warn(line));
  /** Users with clients here whose channels were lost, until a comparison that began after they were heard again. */
  private readonly waits = new Map<string, Wait>();
  private closed = false;

  constructor(private readonly options: UserStandingsOptions) {}

  /** A user's channel may not be heard any more. The log of a room may be read over another link before it is. */
  lost(user: string): void {
    this.waits.set(user, { isHeard: false });
    this.options.listener.hold(user, 'rooms');
  }

  /** A user's channel is about to be heard again. */
  returning(user: string): void {
    this.options.listener.hold(user, 'all');
  }

  /** A user's channel is heard again: the next comparison ends the waiting. */
  heardAgain(user: string): void {
    const wait = this.waits.get(user);
    if (wait) wait.isHeard = true;
  }

  /** Nothing is to be waited for: the user's channel can't be heard, or no client of the user is here. */
  letGo(user: string): void {
    this.waits.delete(user);
    this.options.listener.release(user);
  }

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
    const waits = users.map((user) => this.waits.get(user));
    const areHeard = waits.map((wait) => wait?.isHeard ?? true);
    const standings = await store.of(users);
    users.forEach((user, index) => {
      const standing = standings[index]!;
      listener.judge(user, standing);
      // A standing that was read before the channel was heard again says nothing about the time in between.
      if (areHeard[index] && this.waits.get(user) === waits[index]) this.letGo(user);
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
