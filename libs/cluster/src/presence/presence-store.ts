/** A client came: one more entry of the owner. */
export interface PresenceEnter {
  readonly client: string;
  readonly user: string;
  /** JSON object; shown as long as this client is here and no newer client of the user gives another one. */
  readonly meta?: string;
}

/** A client left. */
export interface PresenceLeave {
  readonly client: string;
  /** How long its user counts as present if this was the last client, in case it comes back, ms; less than 60,000. */
  readonly graceMs: number;
}

export type PresenceChange = PresenceEnter | PresenceLeave;

/** An update of the entries of one owner in one room. */
export interface PresenceUpdate {
  readonly room: string;
  /** Incarnation of a node: `<node id>~<number>`. */
  readonly owner: string;
  /** Changes, in this order. Empty: only announces what is due. */
  readonly changes: readonly PresenceChange[];
  /** Shortest pause between two announcements of the room, ms. */
  readonly pauseMs: number;
  /**
   * Time since announcements are heard again after an interruption, ms: if none was made since, one is made even
   * without a change; its version shows if clients missed one. Absent: none was missed.
   */
  readonly heardForMs?: number;
  /** A user whose grace period ends now; '' for that of everybody. Absent: it goes on. */
  readonly withoutGrace?: string;
}

/** The outcome of the announcement that was due, if one was. */
export interface PresenceAnnounced {
  /** Time after which a node has to call again for the next announcement; absent: never. */
  readonly dueInMs?: number;
  /** True if it was refused: nobody heard it, and only the version of another one shows that. */
  readonly isRefused?: boolean;
}

/** The outcome of an update. */
export type PresenceUpdated =
  /** Done. */
  | (PresenceAnnounced & {
      readonly status: 'done';
      /** True if the user of {@link PresenceUpdate.withoutGrace} has entries. */
      readonly isHere?: boolean;
    })
  /** Nothing was done: the owner was taken for dead, and may not write in this room any more. */
  | { readonly status: 'dead' };

/** Removal of a dead owner's entries. */
export interface PresenceSweep {
  readonly room: string;
  readonly owner: string;
  /** Time from which its users count as gone unless they are back, ms since 1970 by the engine's clock. */
  readonly goneAt: number;
  readonly pauseMs: number;
}

/** The outcome of one part of a removal. */
export interface PresenceSwept extends PresenceAnnounced {
  /** More entries are left: call again. */
  readonly more: boolean;
}

/** An owner's entries in a room as stored. */
export interface StoredEntries {
  /** Changes whenever the engine's history of the room may have changed. */
  readonly replicationId: string;
  /** Client → user. */
  readonly entries: ReadonlyMap<string, string>;
  /** All owners that have entries in the room. */
  readonly owners: readonly string[];
}

/** Users of a room as stored; metas are JSON. */
export interface StoredUsers {
  readonly version: number;
  readonly count: number;
  readonly users: readonly { readonly user: string; readonly meta?: string }[];
}

/** An owner of entries, and the lease of its node. */
export interface PresenceOwner {
  readonly owner: string;
  /** When the lease of its node ends or ended, ms since 1970 by the engine's clock; absent when it has none. */
  readonly leaseEndsAt?: number;
}

/** All owners, at one moment. */
export interface PresenceLook {
  /** Changes whenever the engine's history may have changed. */
  readonly replicationId: string;
  /** The engine's clock, ms since 1970. */
  readonly now: number;
  readonly owners: readonly PresenceOwner[];
}

/**
 * Stores who is in rooms. Each call on a room is one atomic step; all times are the engine's. A user's first entry
 * and the end of the grace after the last one are announced once each, on the room's channel as {@link
 * encodePresence}, with a version that grows by one from announcement to announcement of one history, and by more
 * after a failover.
 *
 * Every method throws an Error when the engine can't be reached; {@link update}, {@link sweep} and those that add or
 * remove may have been done then, and repeating them does no harm.
 */
export abstract class PresenceStore {
  /** Notes that the owner may have entries in a room. Comes before the first entry there. */
  abstract addRoom(owner: string, room: string): Promise<void>;

  /** Notes that the owner has no entries in a room any more. */
  abstract removeRoom(owner: string, room: string): Promise<void>;

  /** Some of the rooms in which an owner may have entries; none when there are none. */
  abstract roomsOf(owner: string, most: number): Promise<string[]>;

  /** Forgets an owner, unless it has rooms. */
  abstract removeOwner(owner: string): Promise<void>;

  /** Changes entries and announces what is to be announced; never creates anything by a leave. */
  abstract update(update: PresenceUpdate): Promise<PresenceUpdated>;

  /** Removes a part of a dead owner's entries; from now on, for an hour, it may write nothing in this room. */
  abstract sweep(sweep: PresenceSweep): Promise<PresenceSwept>;

  /** The owner's entries in a room, and all owners that have any. */
  abstract inspect(room: string, owner: string): Promise<StoredEntries>;

  /** Users after a name, in the order of their UTF-8 bytes. */
  abstract list(room: string, after: string, most: number): Promise<StoredUsers>;

  /** Number of users, at constant cost. */
  abstract count(room: string): Promise<number>;

  /** Returns all owners, and the leases of their nodes. */
  abstract look(): Promise<PresenceLook>;

  /**
   * Takes or keeps the right to clean up behind a dead owner, so that only one node works at it. This only saves
   * work; the data is safe without it.
   */
  abstract claim(owner: string, by: string, ms: number): Promise<boolean>;
}

/** Largest number of changes in one update. */
export const MAX_PRESENCE_CHANGES = 500;
/** Largest number of entries that one call of {@link PresenceStore.sweep} removes. */
export const SWEEP_ENTRIES = 1_000;

/** Owner of the entries of a node's incarnation; the number grows when the node was taken for dead. */
export function ownerOf(nodeId: string, incarnation: number): string {
  return `${nodeId}~${incarnation}`;
}

/** Id of the node that an owner belongs to. */
export function nodeOfOwner(owner: string): string {
  return owner.slice(0, owner.lastIndexOf('~'));
}
