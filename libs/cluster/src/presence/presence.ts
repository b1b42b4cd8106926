import type { PresencePage, PresenceRange } from '@wss/core';

/** The users in one room. */
export interface RoomPresence {
  /**
   * Number of users, at constant cost.
   * @throws GatewayError `unavailable`
   */
  count(): Promise<number>;
  /** @throws GatewayError `unavailable`; RangeError when the limit is out of bounds */
  list(range?: PresenceRange): Promise<PresencePage>;
}

/** Most users in one {@link PresencePage}. */
export const MAX_PRESENCE_PAGE = 500;
/** Number of users in a {@link PresencePage} without a limit. */
export const PRESENCE_PAGE = 100;

/**
 * Returns the users in rooms whose type has `presence: true`, from any node: users with at least one client there,
 * and users whose last client was cut off less than the grace period ago (default 5 s).
 */
export abstract class Presence {
  /** @throws Error when the room's type has no presence */
  abstract of(room: string): RoomPresence;
}
