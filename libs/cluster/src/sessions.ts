import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { toReadError } from './cluster-answer.js';
import type { SessionClaim, SessionStore } from './session-store.js';
import { SessionSecrets } from './session-secrets.js';
import { SessionTokens } from './session-tokens.js';

/** A session of a connected client. */
export class Session {
  /** Rooms in which numbered commands may be sent, once their promise is kept. */
  readonly lanes = new Map<string, Promise<void>>();

  constructor(
    readonly id: string,
    readonly user: string,
    readonly generation: number,
    /** Moves while the client is connected, ms since 1970 by the engine's clock. */
    public endsAt: number,
  ) {}

  /** Whether it has sent numbered commands in a room. */
  hasLane(room: string): boolean {
    return this.lanes.has(room);
  }
}

/** A session as it was opened for a connection. */
export interface OpenedSession {
  readonly session: Session;
  /** Resumes the session on any node. */
  readonly token: string;
  /** It goes on; else it is new and its numbers start at 1. */
  readonly resumed: boolean;
  /** Rooms that it was a member of. */
  readonly rooms: readonly string[];
}

/** Settings of {@link Sessions}. */
export interface SessionOptions {
  /** The first signs the tokens, all verify them; without any the nodes agree on one through the engine. */
  readonly secret?: string | readonly string[];
  /** How long a session outlives its last connection, ms. Default 86,400,000 (a day). */
  readonly ttlMs?: number;
}

/** How long a session outlives its last connection unless configured otherwise, ms. */
const TTL_MS = 86_400_000;
/** How soon ends that could not be moved are moved, ms: they may have passed by then. */
const EXTEND_AGAIN_MS = 1_000;

/** What survives a reconnect: identity and numbered commands. A session exists in the engine from the greeting on. */
export class Sessions {
  private readonly logger = new Logger(Sessions.name);
  private readonly connected = new Set<Session>();
  private readonly tokens: SessionTokens;
  private timer?: NodeJS.Timeout;
  private extending?: Promise<void>;
  private again?: NodeJS.Timeout;

  private constructor(
    private readonly store: SessionStore,
    /** What tokens are signed with. */
    readonly secrets: SessionSecrets,
    private readonly ttlMs: number,
  ) {
    this.tokens = new SessionTokens(() => secrets.keys);
  }

  /** @throws RedisError when the secret can't be agreed on. */
  static async start(store: SessionStore, options: SessionOptions = {}): Promise<Sessions> {
    const { secret = [], ttlMs = TTL_MS } = options;
    const configured = typeof secret === 'string' ? [secret] : secret;
    const sessions = new Sessions(store, await SessionSecrets.start(store, { configured, ttlMs }), ttlMs);
    sessions.timer = setInterval(() => sessions.extendAll(), sessions.ttlMs / 8).unref();
    return sessions;
  }

  /**
   * Opens a session for a connection of this user: the one that the token names, or a new one when it names none,
   * another user's, or one that is over.
   * @throws RedisError when the engine is out of reach.
   */
  async open(user: string, token?: string): Promise<OpenedSession> {
    const claim = await this.claimOf(token);
    const known = claim?.user === user ? await this.store.resume(claim, this.ttlMs) : undefined;
    if (claim && known) {
      const session = new Session(claim.id, user, known.generation, known.endsAt);
      for (const room of known.lanes) session.lanes.set(room, Promise.resolve());
      return this.opened(session, true, known.rooms);
    }
    const created = { id: randomBytes(16).toString('base64url'), user, generation: 1 };
    const endsAt = await this.store.create(created, this.ttlMs);
    return this.opened(new Session(created.id, user, 1, endsAt), false, []);
  }

  /** The session is a member of a room from now on, also after a reconnect. Best effort: a client that joins again loses nothing. */
  joined(session: Session, room: string): void {
    this.store
      .addRoom(session.id, room)
      .catch((error: Error) => this.logger.debug(`a membership is not kept: ${error.message}`));
  }

  /** The session is no member of a room any more. Best effort. */
  left(session: Session, room: string): void {
    this.store
      .removeRoom(session.id, room)
      .catch((error: Error) => this.logger.debug(`a membership is not ended: ${error.message}`));
  }

  /** The connection of a session has gone; the session stays until its end. */
  disconnected(session: Session): void {
    this.connected.delete(session);
  }

  /**
   * Makes sure that the record of the session's commands in a room lives as long as the session. Cheap but for the
   * first command in a room.
   * @throws GatewayError `unavailable` when the engine is out of reach.
   */
  prepareLane(session: Session, room: string): Promise<void> {
    const known = session.lanes.get(room);
    if (known) return known;
    const prepared = this.store.addLane(session.id, room).catch((error: unknown) => {
      session.lanes.delete(room);
      throw toReadError(error);
    });
    session.lanes.set(room, prepared);
    return prepared;
  }

  /** Stops moving the ends of connected sessions. */
  close(): void {
    clearInterval(this.timer);
    this.secrets.close();
    clearTimeout(this.again);
  }

  /** Moves the ends of all connected sessions now, as after a step of the engine's clock; until it succeeds. */
  extendAll(): void {
    clearTimeout(this.again);
    this.extending ??= this.extendConnected().finally(() => delete this.extending);
  }

  private opened(session: Session, resumed: boolean, rooms: readonly string[]): OpenedSession {
    this.connected.add(session);
    return { session, token: this.tokens.sign(session), resumed, rooms };
  }

  private async claimOf(token: string | undefined): Promise<SessionClaim | undefined> {
    if (token === undefined) return undefined;
    if (this.tokens.isOfUnknownKey(token)) await this.secrets.refreshForUnknown();
    return this.tokens.verify(token);
  }

  private async extendConnected(): Promise<void> {
    for (const session of this.connected) {
      try {
        session.endsAt = await this.store.extend(session, this.ttlMs);
      } catch (error) {
        this.logger.debug(`sessions are extended later: ${(error as Error).message}`);
        this.again = setTimeout(() => this.extendAll(), Math.min(EXTEND_AGAIN_MS, this.ttlMs / 8)).unref();
        return;
      }
    }
  }
}
