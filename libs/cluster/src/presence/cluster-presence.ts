import { type PresencePage, type PresenceRange, toWriteError } from '@wss/core';
import type { NodePresence } from './node-presence.js';
import type { PresenceStore } from './presence-store.js';
import { MAX_PRESENCE_PAGE, Presence, PRESENCE_PAGE, type RoomPresence } from './presence.js';

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
