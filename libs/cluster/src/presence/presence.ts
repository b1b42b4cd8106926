/** A user who is in a room. */
export interface PresentUser {
  readonly user: string;
  /** Data from the `$join` of the client that brought the user in; its own word, checked by nobody. */
  readonly meta?: object;
}

/** Which part of a room's users to read. */
export interface PresenceRange {
  /** Name of the user after whom to begin; default at the first. Names are in the order of their UTF-8 bytes. */
  readonly after?: string;
  /** Most users; 1 to 500, default 100. */
  readonly limit?: number;
}

/** Part of a room's users. */
export interface PresencePage {
  /** Everything up to this version of the room's announcements is in the page; later ones change it. */
  readonly version: number;
  /** Users in the whole room. */
  readonly count: number;
  readonly users: readonly PresentUser[];
  /** `after` of the next part; absent at the end. */
  readonly next?: string;
}

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
