import { type PresencePage, type PresenceRange, toWriteError } from '@wss/core';
import type { NodePresence } from './node-presence.js';
import type { PresenceStore } from './presence-store.js';
import { MAX_PRESENCE_PAGE, Presence, PRESENCE_PAGE, type RoomPresence } from './presence.js';

/** Knows whose a session is. */
export interface SessionUsers {
  membershipsOf(id: string): Promise<{ readonly user?: string }>;
}

/**
 * {@link Presence} over the cluster, and the entrance for this node's clients. A read sees everything that this
 * node's clients did before.
 */
export class ClusterPresence extends Presence {
  constructor(
    private readonly node: NodePresence,
    private readonly store: PresenceStore,
    /** True if the room's type has presence. */
    private readonly isShown: (room: string) => boolean,
  ) {
    super();
  }

  /** A client takes part in a room from now on; repeating it changes nothing. */
  entered(room: string, client: { readonly id: string; readonly user: string }, meta?: object): void {
    if (this.isShown(room)) this.node.entered(room, client, meta);
  }

  /** A client left a room on purpose. */
  left(room: string, clientId: string): void {
    this.node.left(room, clientId);
  }

  /** A client's connection has gone. */
  cutOff(room: string, clientId: string): void {
    this.node.cutOff(room, clientId);
  }

  /** A user was put out of a room; see {@link NodePresence.putOut}. */
  async putOut(room: string, user: string, everywhere: boolean): Promise<void> {
    if (this.isShown(room)) await this.node.putOut(room, user, everywhere);
  }

  /**
   * Memberships of a room were ended: of a user, of a session, or of everybody. Without a connection nobody goes on as
   * present. Never rejects.
   */
  async ended(
    room: string,
    { user, session }: { readonly user?: string; readonly session?: string },
    sessions: SessionUsers,
  ): Promise<void> {
    if (!this.isShown(room)) return;
    const who = user ?? (session === undefined ? '' : await this.userOf(session, sessions));
    if (who !== undefined) await this.node.putOut(room, who, user !== undefined);
  }

  private async userOf(session: string, sessions: SessionUsers): Promise<string | undefined> {
    try {
      return (await sessions.membershipsOf(session)).user;
    } catch {
      // The grace period ends by itself.
      return undefined;
    }
  }

  of(room: string): RoomPresence {
    if (!this.isShown(room)) {
      throw new Error(`the type of room ${room} has no presence; declare it with presence: true`);
    }
    return {
      count: () => this.read(room, () => this.store.count(room)),
      list: (range = {}) => this.page(room, range),
    };
  }

  /** @throws GatewayError `unavailable`; RangeError when the limit is out of bounds */
  async page(room: string, { after = '', limit = PRESENCE_PAGE }: PresenceRange): Promise<PresencePage> {
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PRESENCE_PAGE) {
      throw new RangeError(`limit is 1 to ${MAX_PRESENCE_PAGE}`);
    }
    // One more, to know whether there is a next page.
    const stored = await this.read(room, () => this.store.list(room, after, limit + 1));
    const { version, count, users: found } = stored;
    const users = found.slice(0, limit).map(({ user, meta }) => ({
      user,
      ...(meta !== undefined && { meta: JSON.parse(meta) as object }),
    }));
    return { version, count, users, ...(found.length > limit && { next: users[limit - 1]!.user }) };
  }

  private async read<T>(room: string, read: () => Promise<T>): Promise<T> {
    await this.node.settled(room);
    try {
      return await read();
    } catch (error) {
      throw toWriteError(error);
    }
  }
}
