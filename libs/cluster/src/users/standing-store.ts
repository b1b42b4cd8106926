import type { Standing } from '@wss/core';

/** A user's standing after a revocation, and the history on which that was written. */
export interface RevokedStanding extends Standing {
  readonly revokedAt: number;
  /** Replication id of the record's server. */
  readonly history: string;
}

/** A user's standing, and the engine's clock when it was read. */
export interface ReadStanding {
  readonly standing: Standing;
  /** Ms since 1970. */
  readonly now: number;
}

/** The generation that is raised: of a user who is disconnected, or of a user's newest connection. */
export type RaisedGeneration = 'disconnected' | 'newest';

/** How long a generation is kept after it was raised, ms. It is made of the time, so its end takes nothing back. */
export const GENERATION_MS = 86_400_000;

/** Keeps the standings of users in the engine, one record for each. All instants are those of the engine's clock (R30). */
export abstract class StandingStore {
  /** The standing of a user, with the time by which its instants count. */
  abstract read(user: string): Promise<ReadStanding>;

  /** The standings of users, in their order. */
  abstract of(users: readonly string[]): Promise<Standing[]>;

  /**
   * Raises a generation of a user, to a new one that exceeds all others, or to at least the given one.
   * @returns the standing since then
   */
  abstract raise(user: string, which: RaisedGeneration, least?: number): Promise<Standing>;

  /**
   * Revokes a user as of now, or as of an earlier call that may have been lost; the latest counts.
   * @param keepMs how long it is kept
   */
  abstract revoke(user: string, keepMs: number, at?: number): Promise<RevokedStanding>;

  /** Resolves to true if everything that was written on this history until now survives a failover, see `RoomStore.durable`. */
  abstract durable(user: string, history: string, withinMs: number): Promise<boolean>;
}
