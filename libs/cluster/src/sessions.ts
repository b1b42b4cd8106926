import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { SessionStore } from './session-store.js';
import { SessionTokens } from './session-tokens.js';

/** A session of a connected client. */
export interface Session {
  readonly id: string;
  readonly user: string;
  readonly generation: number;
  /** Moves while the client is connected, ms since 1970. */
  endsAt: number;
  /** Rooms in which numbered commands may be sent, once their promise is kept. */
  readonly lanes: Map<string, Promise<void>>;
}

/** A session as it was opened for a connection. */
export interface OpenedSession {
  readonly session: Session;
  /** Resumes the session on any node. */
  readonly token: string;
  /** It goes on; else it is new and its numbers start at 1. */
  readonly resumed: boolean;
}

/** Settings of {@link Sessions}. */
export interface SessionOptions {
  /** Signs the tokens; without it the nodes agree on one through the engine. */
  readonly secret?: string;
  /** How long a session outlives its last connection, ms. Default 86,400,000 (a day). */
  readonly ttlMs?: number;
}

/** What survives a reconnect: identity and numbered commands. A session exists in the engine from the greeting on. */
export class Sessions {
  private readonly logger = new Logger(Sessions.name);
  private readonly connected = new Set<Session>();
  private readonly ttlMs: number;
  private timer?: NodeJS.Timeout;

  private constructor(
    private readonly store: SessionStore,
    private readonly tokens: SessionTokens,
    { ttlMs = 86_400_000 }: SessionOptions,
  ) {
    this.ttlMs = ttlMs;
  }

  /** @throws RedisError when the secret can't be agreed on. */
  static async start(store: SessionStore, options: SessionOptions = {}): Promise<Sessions> {
    const sessions = new Sessions(
      store,
      new SessionTokens(options.secret ?? (await store.secret())),
      options,
    );
    sessions.timer = setInterval(() => void sessions.extendConnected(), sessions.ttlMs / 8).unref();
    return sessions;
  }

  /**
   * Opens a session for a connection of this user: the one that the token names, or a new one when it names none,
   * another user's, or one that is over.
   * @throws RedisError when the engine is out of reach.
   */
  async open(user: string, token?: string): Promise<OpenedSession> {
    const endsAt = Date.now() + this.ttlMs;
    const claim = token === undefined ? undefined : this.tokens.verify(token);
    if (claim?.user === user) {
      const generation = await this.store.resume(claim, endsAt);
      if (generation !== undefined) return this.opened({ id: claim.id, user, generation, endsAt }, true);
    }
    const created = { id: randomBytes(16).toString('base64url'), user, generation: 1, endsAt };
    await this.store.create(created);
    return this.opened(created, false);
  }

  /** The connection of a session has gone; the session stays until its end. */
  disconnected(session: Session): void {
    this.connected.delete(session);
  }

  /**
   * Makes sure that the record of the session's commands in a room lives as long as the session. Cheap but for the
   * first command in a room.
   * @throws RedisError when the engine is out of reach.
   */
  prepareLane(session: Session, room: string): Promise<void> {
    const known = session.lanes.get(room);
    if (known) return known;
    const prepared = this.store.addLane(session.id, room).catch((error: unknown) => {
      session.lanes.delete(room);
      throw error;
    });
    session.lanes.set(room, prepared);
    return prepared;
  }

  /** Stops moving the ends of connected sessions. */
  close(): void {
    clearInterval(this.timer);
  }

  private opened(init: Omit<Session, 'lanes'>, resumed: boolean): OpenedSession {
    const session: Session = { ...init, lanes: new Map() };
    this.connected.add(session);
    return { session, token: this.tokens.sign(init), resumed };
  }

  private async extendConnected(): Promise<void> {
    const endsAt = Date.now() + this.ttlMs;
    for (const session of this.connected) {
      try {
        await this.store.extend(session.id, endsAt);
        session.endsAt = endsAt;
      } catch (error) {
        this.logger.warn(
          `sessions could not be extended; the next round tries again: ${(error as Error).message}`,
        );
        return;
      }
    }
  }
}
