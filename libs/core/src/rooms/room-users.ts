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

/** Part of a room's users, as `$presence` answers it. */
export interface PresencePage {
  /** Everything up to this version of the room's announcements is in the page; later ones change it. */
  readonly version: number;
  /** Users in the whole room. */
  readonly count: number;
  readonly users: readonly PresentUser[];
  /** `after` of the next part; absent at the end. */
  readonly next?: string;
}
