import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import {
  type ClientSession,
  gatePosition,
  GatewayError,
  type OpenedSession,
  toReadError,
  withReadErrors,
} from '@wss/core';
import type { Position } from '@wss/protocol';
import type {
  CreatedRecord,
  SessionConnection,
  ResumedRecord,
  SessionClaim,
  SessionStore,
} from './session-store.js';
import { SessionExtender } from './session-extender.js';
import { SessionSecrets } from './session-secrets.js';
import { SessionTokens } from './session-tokens.js';

/** The numbered commands of a session in a room. */
export interface SessionLane {
  /** When the last one came, ms of this process' steady clock. */
  usedAt: number;
  /** True if earlier numbers may have been forgotten, so that their record may have ended by itself. */
  readonly isDoubtful: boolean;
}

const NO_LANES: ReadonlyMap<string, SessionLane> = new Map();

/** A session of a connected client. */
export class Session implements ClientSession {
  // Maps are made when there is something to put in, because most clients are idle.
  private laneMap?: Map<string, SessionLane>;
  /** Rooms that are about to be added to the lanes. */
  preparing?: Map<string, Promise<void>>;
  /** True if its numbered commands in some rooms are not kept any more. */
  hasForgotten = false;

  constructor(
    readonly id: string,
    readonly user: string,
    readonly generation: number,
    /** Moves while the client is connected, ms since 1970 by the engine's clock. */
    public endsAt: number,
  ) {}

  /** By room with numbered commands. */
  get lanes(): ReadonlyMap<string, SessionLane> {
    return this.laneMap ?? NO_LANES;
  }

  keepLane(room: string, lane: SessionLane): void {
    (this.laneMap ??= new Map<string, SessionLane>()).set(room, lane);
  }

  dropLane(room: string): void {
    this.laneMap?.delete(room);
  }

  hasLane(room: string): boolean {
    return this.lanes.has(room) || this.preparing?.has(room) === true;
  }

  provesLoss(room: string): boolean {
    return !this.hasForgotten || this.lanes.get(room)?.isDoubtful === false;
  }
}

/** Hears which sessions have a connection here. */
export interface ConnectionNotes {
  /** The session has this connection; told again from time to time while it has. */
  connected(session: SessionConnection): void;
  /** The session has lost this connection; it may have a newer one, here or elsewhere. */
  lost(session: SessionConnection): void;
}

/** Settings of {@link SessionKeeper}. */
export interface SessionOptions {
  /** The first signs the tokens, all verify them; without any the nodes agree on one through the engine. */
  readonly secret?: string | readonly string[];
  /** How long a session outlives its last connection, ms. Default 86,400,000 (a day). */
  readonly ttlMs?: number;
  /**
   * Largest number of rooms that a session may be in; default 1,000. It may have numbered commands in 20 times as
   * many.
   */
  readonly maxRooms?: number;
  /** How long numbered commands are kept in a room that was left, ms. Default 3,600,000 (an hour). */
  readonly laneIdleMs?: number;
  readonly notes?: ConnectionNotes | undefined;
}

/** How long a session outlives its last connection unless configured otherwise, ms. */
const TTL_MS = 86_400_000;
/** Number of rooms with numbered commands for each room that a session may be in. */
const LANES_PER_ROOM = 20;
/** Number of rooms whose numbered commands are forgotten in one go. */
const FORGOTTEN_AT_ONCE = 256;
const READY = Promise.resolve();

/** Longest pause before a failed end is moved again, ms: it may have passed by then. */
const EXTEND_AGAIN_MS = 5_000;

/**
 * Keeps the sessions: the identity and numbered commands that survive a reconnect. The engine has a session from its
 * greeting on.
 */
export class SessionKeeper {
  private readonly logger = new Logger('Sessions');
  private readonly connected = new Set<Session>();
  private readonly tokens: SessionTokens;
  private readonly ttlMs: number;
  private readonly maxRooms: number;
  private readonly laneIdleMs: number;
  private readonly notes: ConnectionNotes | undefined;
  private timer?: NodeJS.Timeout;
  private readonly extender: SessionExtender<Session>;

  private constructor(
    private readonly store: SessionStore,
    /** Secrets that sign the tokens. */
    readonly secrets: SessionSecrets,
    { ttlMs = TTL_MS, maxRooms = 1_000, laneIdleMs = 3_600_000, notes }: SessionOptions,
  ) {
    this.tokens = new SessionTokens(() => secrets.keys);
    this.ttlMs = ttlMs;
    this.maxRooms = maxRooms;
    this.laneIdleMs = laneIdleMs;
    this.notes = notes;
    this.extender = new SessionExtender(
      {
        end: async (session) => void (session.endsAt = await store.extend(session, ttlMs)),
        rest: async (session) => {
          // It was ended for good.
          if (session.endsAt === 0) return;
          // A failover may have lost the note.
          if (this.connected.has(session)) notes?.connected(session);
          await store.extendLanes(session.id, session.endsAt);
          await this.forgetIdleLanes(session);
        },
      },
      Math.min(EXTEND_AGAIN_MS, ttlMs / 8),
    );
  }

  /** @throws RedisError when the secret can't be agreed on. */
  static async start(store: SessionStore, options: SessionOptions = {}): Promise<SessionKeeper> {
    const { secret = [], ttlMs = TTL_MS } = options;
    const configured = typeof secret === 'string' ? [secret] : secret;
    const sessions = new SessionKeeper(
      store,
      await SessionSecrets.start(store, { configured, ttlMs }),
      options,
    );
    sessions.timer = setInterval(() => sessions.extendAll(), sessions.ttlMs / 8).unref();
    return sessions;
  }

  /**
   * Opens a session for a connection of this user: the one that the token names, or a new one if the token is absent
   * or invalid, or names a session of another user or one that is over.
   * @param revokedAt when the user was revoked: sessions that began before are over
   * @throws RedisError when the engine is out of reach.
   */
  async open(user: string, token?: string, revokedAt?: number): Promise<OpenedSession<Session>> {
    const claim = await this.claimOf(token);
    const known = claim?.user === user ? await this.store.resume(claim, this.ttlMs, revokedAt) : undefined;
    if (claim && known) {
      const session = new Session(claim.id, user, known.generation, known.endsAt);
      const usedAt = performance.now();
      session.hasForgotten = known.hasForgotten ?? false;
      // The rooms that it came back to are not recorded.
      const isDoubtful = session.hasForgotten;
      for (const room of known.lanes) session.keepLane(room, { usedAt, isDoubtful });
      return this.opened(session, known, known.rooms.slice(0, this.maxRooms));
    }
    const created = { id: randomBytes(16).toString('base64url'), user, generation: 1 };
    const record = await this.store.create(created, this.ttlMs);
    return this.opened(new Session(created.id, user, 1, record.endsAt), record);
  }

  /** The session is a member of a room from now on, also after a reconnect. Best effort: a client that joins again loses nothing. */
  joined(session: Session, room: string, since?: Position): void {
    this.store
      .addRoom(session.id, room, since && gatePosition(since))
      .catch((error: Error) => this.logger.debug(`a membership could not be stored: ${error.message}`));
  }

  /**
   * Position since which the session is a member of a room; '' if none was noted.
   * @throws GatewayError `unavailable` when the engine is out of reach
   */
  memberSince(session: Session, room: string): Promise<string> {
    return withReadErrors(() => this.store.memberSince(session.id, room));
  }

  /** The session is not a member of a room any more. Best effort. */
  left(session: Session, room: string): void {
    this.store
      .removeRoom(session.id, room)
      .catch((error: Error) => this.logger.debug(`a membership could not be removed: ${error.message}`));
  }

  /**
   * Ends a session for good because its user was revoked. Best effort: it can't be resumed anyway, and the node that
   * revoked the user looks for all sessions of the user.
   */
  revoked({ id }: Session): void {
    this.store
      .end(id)
      .catch((error: Error) => this.logger.debug(`a session could not be ended: ${error.message}`));
  }

  /** The connection of a session has gone; the session stays until its end. */
  disconnected(session: Session): void {
    this.connected.delete(session);
    this.extender.forget(session);
    this.notes?.lost(session);
  }

  /**
   * Makes sure that the record of the session's commands in a room lives as long as the session. This is cheap except
   * for the first command in a room.
   * @throws GatewayError `unavailable` when the engine is out of reach, `limit` when there are too many such rooms.
   */
  prepareLane(session: Session, room: string): Promise<void> {
    const lane = session.lanes.get(room);
    if (lane) {
      lane.usedAt = performance.now();
      return READY;
    }
    return session.preparing?.get(room) ?? this.addLane(session, room);
  }

  private addLane(session: Session, room: string): Promise<void> {
    const preparing = (session.preparing ??= new Map<string, Promise<void>>());
    const most = LANES_PER_ROOM * this.maxRooms;
    if (session.lanes.size + preparing.size >= most) return Promise.reject(tooManyLanes(most));
    const isDoubtful = session.hasForgotten;
    const prepared = this.store
      .addLane(session.id, room)
      .then(() => session.keepLane(room, { usedAt: performance.now(), isDoubtful }))
      .catch((error: unknown) => Promise.reject(toReadError(error)))
      .finally(() => preparing.delete(room));
    preparing.set(room, prepared);
    return prepared;
  }

  /** Stops moving the ends of connected sessions. */
  close(): void {
    clearInterval(this.timer);
    this.secrets.close();
    this.extender.close();
  }

  /**
   * Moves the ends of all connected sessions now, e.g. after a step of the engine's clock; repeats each until it
   * succeeds.
   */
  extendAll(): void {
    this.extender.extend(this.connected);
  }

  /** @param rooms those of a session that goes on */
  private opened(
    session: Session,
    { startedAt, history }: ResumedRecord | CreatedRecord,
    rooms?: readonly string[],
  ): OpenedSession<Session> {
    this.connected.add(session);
    this.notes?.connected(session);
    const { id, user, generation, endsAt } = session;
    const token = this.tokens.sign({
      id,
      user,
      generation,
      endsAt,
      history,
      ...(startedAt && { startedAt }),
    });
    return { session, token, resumed: rooms !== undefined, rooms: rooms ?? [] };
  }

  private async claimOf(token: string | undefined): Promise<SessionClaim | undefined> {
    if (token === undefined) return undefined;
    if (this.tokens.isOfUnknownKey(token)) await this.secrets.refreshForUnknown();
    return this.tokens.verify(token);
  }

  /** Drops the records of rooms that were left long ago, in parts, like everything that a session has accumulated. */
  private async forgetIdleLanes(session: Session): Promise<void> {
    const before = performance.now() - this.laneIdleMs;
    const idle = [...session.lanes].filter(([, { usedAt }]) => usedAt < before);
    for (let from = 0; from < idle.length; from += FORGOTTEN_AT_ONCE) {
      await this.forgetLanes(session, new Map(idle.slice(from, from + FORGOTTEN_AT_ONCE)));
    }
  }

  /** A command that arrives meanwhile adds its room again. */
  private async forgetLanes(session: Session, idle: ReadonlyMap<string, SessionLane>): Promise<void> {
    const hadForgotten = session.hasForgotten;
    session.hasForgotten = true;
    for (const room of idle.keys()) session.dropLane(room);
    let gone: readonly string[] = [];
    try {
      gone = await this.store.forgetLanes(session.id, [...idle.keys()]);
    } finally {
      const forgotten = new Set(gone);
      for (const [room, lane] of idle)
        if (!forgotten.has(room) && !session.lanes.has(room)) session.keepLane(room, lane);
      session.hasForgotten = hadForgotten || gone.length > 0;
      // A lane that was added while it was removed may have been removed after that.
      const again = gone.filter((room) => session.hasLane(room));
      await Promise.all(again.map((room) => this.store.addLane(session.id, room)));
    }
  }
}

function tooManyLanes(most: number): GatewayError {
  return new GatewayError('limit', `numbered commands in ${most} rooms already: use one of these rooms`);
}
