/** A session as claimed by its token. */
export interface SessionClaim {
  readonly id: string;
  readonly user: string;
  readonly generation: number;
  /** Ms since 1970 by the engine's clock. */
  readonly endsAt: number;
  /** When it began, ms since 1970 by the engine's clock; absent in tokens of older releases. */
  readonly startedAt?: number;
  /** Replication id of its record's master when the token was made; absent in tokens of older releases. */
  readonly history?: string;
}

/** A session, and its user. */
export type UserSession = Pick<SessionClaim, 'id' | 'user'>;

/** A session and its newest connection: the generation is raised by each resume. */
export type SessionConnection = Pick<SessionClaim, 'id' | 'user' | 'generation'>;

/** The instants of a new session, and the history that its record is on. */
export type CreatedRecord = Required<Pick<SessionClaim, 'endsAt' | 'startedAt' | 'history'>>;

/** The rooms of a session. */
export interface SessionMemberships {
  readonly user?: string;
  readonly rooms: readonly string[];
}

/** A session that was ended for good. */
export interface EndedRecord {
  /** Absent if the engine does not know the session. */
  readonly user?: string;
  /** False if it began too late, and goes on. */
  readonly isEnded: boolean;
  /** The history on which its end was written. */
  readonly history: string;
}

/** A resumed session. */
export interface ResumedRecord {
  readonly generation: number;
  /** Its new end, ms since 1970 by the engine's clock. */
  readonly endsAt: number;
  /** Rooms in which it has numbered commands. */
  readonly lanes: readonly string[];
  /** Rooms that it is a member of. */
  readonly rooms: readonly string[];
  /** Its numbered commands in some rooms were forgotten, see {@link SessionStore.forgetLanes}. */
  readonly hasForgotten?: true;
  /** When it began; absent for a session of an older release. */
  readonly startedAt?: number;
  /** The history that its record is on now. */
  readonly history: string;
}

/** An ended session, which one node announces. */
export interface ClaimedSession {
  readonly id: string;
  readonly user: string;
  /** Id of the claim. */
  readonly claim: string;
}

/** The sessions claimed at one moment. */
export interface Claims {
  /** The engine's clock then, ms since 1970. */
  readonly now: number;
  readonly sessions: readonly ClaimedSession[];
}

/** A node's part in the agreement on a secret. */
export interface SecretAgreement {
  /** True if it signs with the agreed secret. */
  readonly signs: boolean;
  /** Secrets that were agreed on and that it accepts, the newest first. */
  readonly held: readonly string[];
  /** How long those that are not the present one are accepted, ms. */
  readonly ttlMs: number;
}

/** How long a claim lasts, ms. */
export const CLAIM_MS = 60_000;

/** Keeps the engine's state of sessions. All ends are instants of the engine's clock, which alone makes them (R30). */
export abstract class SessionStore {
  /**
   * Stores a new session, from the greeting on.
   * @returns its start and its end
   */
  abstract create(session: SessionConnection, ttlMs: number): Promise<CreatedRecord>;

  /**
   * Resumes a session: raises its generation, so that commands of the former connection are refused, and moves its
   * end and those of the records of its commands (R6), unless all were moved within the last eighth of `ttlMs`. A
   * session whose record is missing is made again from the claim alone (R7), unless the claim is from the present
   * history: there the record was removed.
   * @param revokedAt when its user was revoked: a session that began before is over
   * @returns undefined if it is another user's, ended or over
   */
  abstract resume(claim: SessionClaim, ttlMs: number, revokedAt?: number): Promise<ResumedRecord | undefined>;

  /**
   * Ends a session for good, so that it can't be resumed, and no longer has rooms; {@link claimEnded} finds it from
   * now on. Repeating it changes nothing.
   * @param startedBy ends it only if it began at this time or before, or at an unknown one
   */
  abstract end(id: string, startedBy?: number): Promise<EndedRecord>;

  /**
   * Ends a session that has no connection, and keeps nothing of it: {@link claimEnded} finds it from now on, its numbered
   * commands are known for another hour, and its token is that of a session that was removed (R7).
   * @param session with the generation of the connection that it lost: one that was resumed since goes on
   * @returns true if this call ended it
   */
  abstract drop(session: SessionConnection): Promise<boolean>;

  /** The user of a session, absent if the engine does not know it, and the rooms that it is a member of. */
  abstract membershipsOf(id: string): Promise<SessionMemberships>;

  /** Yields the sessions of users whose end was not told yet, in parts that do not hold up other work. */
  abstract sessionsOf(users: ReadonlySet<string>): AsyncIterable<readonly UserSession[]>;

  /** Resolves to true if everything that was written on this history until now survives a failover. */
  abstract durable(id: string, history: string, withinMs: number): Promise<boolean>;

  /** Notes that the session has numbered commands in a room, before the first of them is carried out. */
  abstract addLane(id: string, room: string): Promise<void>;

  /**
   * Stops keeping the session's numbered commands in those of the rooms that it has left, and whose replies are
   * acknowledged but for the newest: their records end when their remaining time is over. It notes that it did so.
   * @param rooms at most 256
   * @returns these rooms
   */
  abstract forgetLanes(id: string, rooms: readonly string[]): Promise<string[]>;

  /**
   * Notes that the session is a member of a room.
   * @param since position from which on it is, where memberships of the room were ended (R38)
   */
  abstract addRoom(id: string, room: string, since?: string): Promise<void>;

  /** The position that was noted with {@link addRoom} last; '' for none. */
  abstract memberSince(id: string, room: string): Promise<string>;

  /** Notes that the session is not a member of a room any more. */
  abstract removeRoom(id: string, room: string): Promise<void>;

  /**
   * Moves the end of a session; {@link extendLanes} has to follow.
   * @returns the new end; 0 if the session was ended for good
   */
  abstract extend(session: Pick<SessionClaim, 'id' | 'user'>, ttlMs: number): Promise<number>;

  /** Moves the ends of the records of a session's commands to after its end (R6). */
  abstract extendLanes(id: string, endsAt: number): Promise<void>;

  /**
   * Claims sessions whose end has passed: no other node gets them until the claim ends; by then the caller has to
   * forget them. Sessions that go on are not among them.
   * @param claimMs ms from now, by the engine's clock; default 60,000
   */
  abstract claimEnded(most: number, claimMs?: number): Promise<Claims>;

  /** Forgets a claimed session for good, unless it went on meanwhile. */
  abstract forget(session: ClaimedSession): Promise<void>;

  /**
   * The present generations of sessions; undefined for sessions that the engine does not know, `ENDED_GENERATION` for
   * those that were ended for good.
   */
  abstract generations(ids: readonly string[]): Promise<(number | undefined)[]>;

  /**
   * The secrets that nodes have agreed on: the present one, then those that are still accepted. If a node signs with
   * the agreed secret and none exists, one is created, from the secrets of that node if it has any.
   */
  abstract agree(agreement: SecretAgreement): Promise<string[]>;
}

/** Time by which records outlive their session, ms (R6). */
export const RECORD_GRACE_MS = 3_600_000;

/** How long the end of a session is remembered, ms: no token of it is valid for longer. */
export const ENDED_MS = 86_400_000 + RECORD_GRACE_MS;
