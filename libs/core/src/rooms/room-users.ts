/** A user who is in a room. */
export interface PresentUser {
  readonly user: string;
  /** Data from the `$join` of the user's client; the server does not check it. */
  readonly meta?: object;
}

/** The part of a room's users to read. */
export interface PresenceRange {
  /** Name of the user after which to begin; default: from the first one. Names are ordered by their UTF-8 bytes. */
  readonly after?: string;
  /** Largest number of users; 1 to 500, default 100. */
  readonly limit?: number;
}

/** Part of a room's users, as `$presence` answers it. */
export interface PresencePage {
  /** The page contains all announcements up to this version; later ones change it. */
  readonly version: number;
  /** Number of users in the whole room. */
  readonly count: number;
  readonly users: readonly PresentUser[];
  /** `after` of the next part; absent at the end. */
  readonly next?: string;
}
