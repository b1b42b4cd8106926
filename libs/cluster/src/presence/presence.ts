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
/** Users in a {@link PresencePage} where no limit is given. */
export const PRESENCE_PAGE = 100;

/**
 * Tells which users are in rooms whose type has `presence: true`, from any node: those with at least one client there,
 * and those whose last one was cut off less than the grace ago (default 5 s).
 */
export abstract class Presence {
  /** @throws Error when the room's type has no presence */
  abstract of(room: string): RoomPresence;
}
