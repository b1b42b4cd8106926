import type { LogEntry, Position } from '@wss/protocol';
import type { RedisKeys } from '@wss/redis';
import { type Committer, decodeMessage, readMessageHead, type RoomStore } from '@wss/state';
import type { Channels } from './channels.js';
import { FollowedRoom } from './followed-room.js';
import type { RoomListener } from './room-listener.js';
import { decodeVolatile, encodeVolatile, isVolatile } from './volatile-format.js';

/** How long a room is followed after its last client has left, ms; quick returns cost nothing then. */
const LINGER_MS = 2_000;

interface Followed {
  readonly room: FollowedRoom;
  readonly opened: Promise<void>;
  readonly onMessage: (message: string) => void;
  linger?: NodeJS.Timeout;
}

/** What a feed works with. */
export interface RoomFeedOptions {
  readonly nodeId: string;
  readonly store: RoomStore;
  readonly channels: Channels;
  readonly keys: RedisKeys;
  readonly committer: Committer;
  readonly listener: RoomListener;
}

/** Follows the rooms that this node has clients in, and only those. */
export class RoomFeed {
  private readonly rooms = new Map<string, Followed>();

  constructor(private readonly options: RoomFeedOptions) {
    const { channels, committer } = options;
    committer.onCommitted((room, epoch, entries) => this.onCommitted(room, epoch, entries));
    channels.onInterruption(() => {
      for (const { room } of this.rooms.values()) room.repair();
    });
  }

  /**
   * Follows a room; resolves once no event after {@link position} can be missed.
   * @throws StoreError or RedisError when the engine is out of reach.
   */
  open(name: string): Promise<void> {
    const followed = this.rooms.get(name) ?? this.follow(name);
    clearTimeout(followed.linger);
    delete followed.linger;
    return followed.opened;
  }

  /** Last position that was delivered in an open room. */
  position(name: string): Position {
    return this.rooms.get(name)!.room.position;
  }

  /** Tells that no client of this node is in the room any more. */
  release(name: string): void {
    const followed = this.rooms.get(name);
    if (!followed || followed.linger) return;
    followed.linger = setTimeout(() => this.drop(name), LINGER_MS).unref();
  }

  /** Number of rooms that are followed. */
  get size(): number {
    return this.rooms.size;
  }

  /** Sends a volatile event to the room's members on all nodes; at most once, unordered with the log. */
  async publishVolatile(room: string, event: string, data: string, except?: string): Promise<void> {
    const { nodeId, channels, keys, listener } = this.options;
    // Local clients do not depend on the engine.
    listener.deliverVolatile(room, event, data, except);
    await channels.publish(
      keys.room(room).channel,
      encodeVolatile({ nodeId, event, data, ...(except && { except }) }),
    );
  }

  /** Stops following everything. */
  close(): void {
    for (const name of [...this.rooms.keys()]) this.drop(name);
  }

  private follow(name: string): Followed {
    const { channels, keys, store, listener } = this.options;
    const room = new FollowedRoom(name, store, listener);
    const onMessage = (message: string): void => this.onMessage(name, room, message);
    const opened = channels.subscribe(keys.room(name).channel, onMessage).then(() => room.start());
    const followed: Followed = { room, opened, onMessage };
    this.rooms.set(name, followed);
    opened.catch(() => {
      if (this.rooms.get(name) === followed) this.drop(name);
    });
    return followed;
  }

  private drop(name: string): void {
    const followed = this.rooms.get(name);
    if (!followed) return;
    this.rooms.delete(name);
    clearTimeout(followed.linger);
    followed.room.stop();
    this.options.channels.unsubscribe(this.options.keys.room(name).channel, followed.onMessage);
  }

  private onCommitted(name: string, epoch: string, entries: readonly LogEntry[]): void {
    this.rooms.get(name)?.room.accept(epoch, entries, true);
  }

  private onMessage(name: string, room: FollowedRoom, message: string): void {
    if (isVolatile(message)) return this.onVolatile(name, message);
    const { epoch, last } = readMessageHead(message);
    // The echo of what was delivered already is dropped before it is taken apart.
    if (room.has(epoch, last)) return;
    room.accept(epoch, decodeMessage(message).entries, false);
  }

  private onVolatile(name: string, message: string): void {
    const { nodeId, event, data, except } = decodeVolatile(message);
    if (nodeId !== this.options.nodeId) this.options.listener.deliverVolatile(name, event, data, except);
  }
}
