import { gatePosition, type RoomHold, type RoomStart, type StartRequest } from '@wss/core';
import type { RedisKeys } from '@wss/redis';
import type { Committer, ResumeReply, ResumeRequest, RoomStore } from '@wss/state';
import type { Channels } from '../channels/channels.js';
import { type DurabilityListener, DurableWatermark, type WatchedRoom } from './durable-watermark.js';
import { FeedRoom } from './feed-room.js';
import { FollowedRoom } from '../following/followed-room.js';
import type { FeedFaults } from '../following/room-faults.js';
import type { LostHistories } from './lost-histories.js';
import { QuietRooms } from './quiet-rooms.js';
import type { PresenceHearer, RoomListener } from '../following/room-listener.js';
import { decodeRoomMessage, encodeVolatile, type RoomMessage } from './room-message.js';
import { NodeReads } from '../following/room-reads.js';

/** Pauses of a feed, ms. */
export interface FeedPauses {
  /** How long a room is followed after its last client has left; quick returns cost nothing then. Default 2,000. */
  readonly lingerMs: number;
  /** A room that was quiet for this long is compared with its log. Default 2,000. */
  readonly quietMs: number;
}

const PAUSES: FeedPauses = { lingerMs: 2_000, quietMs: 2_000 };
/** Dependencies and settings of a feed. */
export interface RoomFeedOptions {
  readonly nodeId: string;
  readonly store: RoomStore;
  readonly channels: Channels;
  readonly keys: RedisKeys;
  readonly committer: Committer;
  readonly listener: RoomListener;
  /** Presence, which hears of each event before the listener. */
  readonly presence?: PresenceHearer;
  /** Settings of the room's type; `undefined` for an undeclared kind. */
  readonly typeOf: (
    room: string,
  ) => { readonly history: { readonly events: number }; readonly idleTtlMs: number } | undefined;
  /** JSON of the documents of a room that were never written, by name. */
  readonly emptyDocuments: (room: string) => ReadonlyMap<string, string>;
  /** Hears of durable positions; present only if the engine has replicas. */
  readonly durability?: DurabilityListener;
  readonly pauses?: Partial<FeedPauses>;
  /** Hears of rooms whose members can't go on; one for all feeds of a node. */
  readonly losses: LostHistories;
  /** Tells of rooms that can't be read; one for all feeds of a node. */
  readonly faults: FeedFaults;
}

/** Follows the rooms that this node has clients in, and only those. */
export class RoomFeed {
  private readonly rooms = new Map<string, FeedRoom>();
  private readonly reads = new NodeReads();
  private readonly pauses: FeedPauses;
  private readonly quiet: QuietRooms;
  private readonly watermark?: DurableWatermark;

  constructor(private readonly options: RoomFeedOptions) {
    this.pauses = { ...PAUSES, ...options.pauses };
    const { channels, committer, faults, keys, store, durability } = options;
    const { quietMs } = this.pauses;
    const rooms = (): Iterable<FeedRoom> => this.rooms.values();
    const idleTtlOf = (name: string): number => this.idleTtlOf(name);
    this.quiet = new QuietRooms({ store, faults, rooms, quietMs, idleTtlOf }, () =>
      this.reads.parts.expire(),
    );
    if (durability) {
      const watched = (): Iterable<WatchedRoom> => this.watched();
      this.watermark = new DurableWatermark({ store, listener: durability, rooms: watched });
    }
    committer.onCommitted((room, epoch, entries) => this.rooms.get(room)?.room.accept(epoch, entries, true));
    channels.onInterruption((interrupted) => {
      for (const [name, { room }] of this.rooms)
        if (interrupted.has(keys.room(name).channel)) room.heardAgain();
    });
    this.doubtReturning();
  }

  /** A member whose membership may have ended unheard does nothing before that is known (R38). */
  private doubtReturning(): void {
    const { channels, keys } = this.options;
    const each = (of: readonly string[], call: (room: FollowedRoom) => void): void => {
      const names = new Set(of);
      for (const [name, { room }] of this.rooms) if (names.has(keys.room(name).channel)) call(room);
    };
    channels.onReturn({
      // Until the link is back nobody can be told anything.
      lost: () => undefined,
      returning: (of) => each(of, (room) => room.returning()),
      refused: (of) => each(of, (room) => room.endDoubt()),
    });
  }

  /** Follows a room until the hold is released, and a little longer. */
  hold(name: string): RoomHold {
    return (this.rooms.get(name) ?? this.follow(name)).hold();
  }

  /** Like {@link RoomHold.begin}, for a client that is in the room already: no hold outlives the call. */
  async begin(name: string, request: StartRequest, complete: (start: RoomStart) => void): Promise<void> {
    const hold = this.hold(name);
    try {
      await hold.begin(request, complete);
    } finally {
      hold.release();
    }
  }

  /** Number of rooms that are followed. */
  get size(): number {
    return this.rooms.size;
  }

  /** Sends a volatile event to the room's members on all nodes; at most once, unordered with the log. */
  async publishVolatile(room: string, event: string, data: string, except?: string): Promise<void> {
    const { nodeId, channels, keys, listener } = this.options;
    // Somebody may have been removed while this process stood still.
    for (let behind = channels.behind; behind; behind = channels.behind) await behind;
    // Local clients get it without the engine.
    this.pass(room, () => listener.deliverVolatile(room, event, data, except));
    await channels.publish(
      keys.room(room).channel,
      encodeVolatile({ nodeId, event, data, ...(except && { except }) }),
    );
  }

  /** Stops following everything. */
  close(): void {
    this.quiet.close();
    this.watermark?.close();
    for (const name of [...this.rooms.keys()]) this.drop(name);
  }

  private *watched(): Iterable<WatchedRoom> {
    for (const [name, { room }] of this.rooms) {
      if (!room.isOpen) continue;
      const { position, replicationId } = room;
      yield { name, position, replicationId };
    }
  }

  /** Sends a frame outside of the log to members here. */
  private pass(name: string, send: () => void): void {
    const followed = this.rooms.get(name);
    if (followed) followed.room.pass(send);
    else send();
  }

  private idleTtlOf(name: string): number {
    return this.options.typeOf(name)?.idleTtlMs ?? 0;
  }

  private follow(name: string): FeedRoom {
    const { channels, keys } = this.options;
    const { channel } = keys.room(name);
    const room = this.open(name);
    const onMessage = (text: string): void => this.onMessage(name, room, decodeRoomMessage(text));
    const feedRoom: FeedRoom = new FeedRoom({
      name,
      room,
      opened: channels.subscribe(channel, onMessage).then(() => room.start()),
      lingerMs: this.pauses.lingerMs,
      onAbandoned: () => drop(),
      onClosed: () => channels.unsubscribe(channel, onMessage),
    });
    const drop = (): void => {
      if (this.rooms.get(name) === feedRoom) this.drop(name);
    };
    this.rooms.set(name, feedRoom);
    feedRoom.opened.catch(drop);
    return feedRoom;
  }

  private open(name: string): FollowedRoom {
    const { store, faults, listener, presence, typeOf, emptyDocuments } = this.options;
    const idleTtlMs = this.idleTtlOf(name);
    return new FollowedRoom({
      room: name,
      store: {
        resume: async (request) => this.told(await store.resume({ ...request, idleTtlMs }), request),
        tops: (rooms) => store.tops(rooms),
      },
      reads: this.reads,
      faults,
      listener,
      ...(presence && { presence }),
      historyEvents: typeOf(name)?.history.events ?? 1_000,
      emptyDocuments: emptyDocuments(name),
    });
  }

  /** Members that can't go on concern an operator; losses that the store knows of it reports itself. */
  private told(reply: ResumeReply, { from }: Pick<ResumeRequest, 'from'>): ResumeReply {
    const isLoss = from && reply.reason && !reply.lostParts;
    // A deletion is declared by itself.
    if (isLoss && !reply.gate?.deletedSince(gatePosition(from))) this.options.losses.report(reply.reason!);
    return reply;
  }

  private drop(name: string): void {
    this.rooms.get(name)?.close();
    this.rooms.delete(name);
    this.watermark?.forget(name);
    this.reads.parts.forget(name);
  }

  private onMessage(name: string, room: FollowedRoom, message: RoomMessage): void {
    const { nodeId, listener, presence } = this.options;
    if (message.kind === 'presence') {
      presence?.announced(name, message.delta);
      room.pass(() => listener.deliverPresence(name, message.delta));
    } else if (message.kind === 'volatile') {
      // This node's own was delivered when it was published.
      const { event, data, except } = message;
      if (message.nodeId === nodeId) return;
      room.pass(() => listener.deliverVolatile(name, event, data, except));
    } else if (!room.has(message.epoch, message.last)) {
      room.accept(message.epoch, message.entries(), false);
    }
  }
}
