import { type RoomHold, type RoomStart, type StartRequest, toReadError } from '@wss/core';
import type { LogEntry } from '@wss/protocol';
import type { RedisKeys } from '@wss/redis';
import {
  type Committer,
  decodeMessage,
  readMessageHead,
  type ResumeReply,
  type ResumeRequest,
  type RoomStore,
  UNUSED_MS,
} from '@wss/state';
import type { Channels } from '../channels/channels.js';
import { type DurabilityListener, DurableWatermark, type WatchedRoom } from './durable-watermark.js';
import { FollowedRoom } from './followed-room.js';
import { isPresence, presenceJson } from './presence-format.js';
import { type LostHistories, lostHistories } from './lost-histories.js';
import { reportFailures } from './room-faults.js';
import type { PresenceHearer, RoomListener } from './room-listener.js';
import { NodeReads } from './room-reads.js';
import { decodeVolatile, encodeVolatile, isVolatile } from './volatile-format.js';

/** Pauses of a feed, ms. */
export interface FeedPauses {
  /** How long a room is followed after its last client has left; quick returns cost nothing then. Default 2,000. */
  readonly lingerMs: number;
  /** A room that was quiet for this long is compared with its log. Default 2,000. */
  readonly quietMs: number;
}

const PAUSES: FeedPauses = { lingerMs: 2_000, quietMs: 2_000 };
/** Largest number of rooms in one comparison. */
const MAX_COMPARED = 500;
/** Largest number of rooms that are kept at once. */
const MAX_KEPT = 64;

/** A {@link RoomHold} on a room of a feed. */
export class FeedHold implements RoomHold {
  /** True once no client may begin with this hold any more. */
  released = false;

  /** @internal */
  constructor(
    private readonly feed: RoomFeed,
    readonly followed: Followed,
    private isFirst: boolean,
  ) {}

  async begin(request: StartRequest, complete: (start: RoomStart) => void): Promise<void> {
    const { room, opened } = this.followed;
    const isCurrent = this.isFirst;
    this.isFirst = false;
    try {
      await opened;
      if (!isCurrent) await room.confirm();
      request.signal?.throwIfAborted();
      await room.begin(request, (start) => {
        if (!this.released) complete(start);
      });
    } catch (error) {
      throw toReadError(error);
    }
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    this.feed.released(this.followed);
  }
}

interface Followed {
  readonly name: string;
  readonly room: FollowedRoom;
  readonly opened: Promise<void>;
  readonly onMessage: (message: string) => void;
  /** True if the room's position is known. */
  readonly started: () => boolean;
  /** When its expiry was last moved, ms on this process' steady clock. */
  keptAt: number;
  /** Number of holds that are not released. */
  holds: number;
  /** Runs while nothing holds the room. */
  linger?: NodeJS.Timeout;
}

/** Dependencies and settings of a feed. */
export interface RoomFeedOptions {
  readonly nodeId: string;
  readonly store: RoomStore;
  readonly channels: Channels;
  readonly keys: RedisKeys;
  readonly committer: Committer;
  readonly listener: RoomListener;
  /** Told before the listener. */
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
  /** Default: those of the process. */
  readonly losses?: LostHistories;
}

/** Follows the rooms that this node has clients in, and only those. */
export class RoomFeed {
  private readonly rooms = new Map<string, Followed>();
  private readonly reads = new NodeReads();
  private readonly pauses: FeedPauses;
  private readonly timer: NodeJS.Timeout;
  private readonly watermark?: DurableWatermark;
  private comparing = false;

  constructor(private readonly options: RoomFeedOptions) {
    this.pauses = { ...PAUSES, ...options.pauses };
    this.timer = setInterval(() => void this.compareQuiet(), this.pauses.quietMs).unref();
    const { channels, committer, keys, store, durability } = options;
    if (durability) {
      const rooms = (): Iterable<WatchedRoom> => this.watched();
      this.watermark = new DurableWatermark({ store, listener: durability, rooms });
    }
    committer.onCommitted((room, epoch, entries) => this.onCommitted(room, epoch, entries));
    channels.onInterruption((interrupted) => {
      for (const [name, { room }] of this.rooms) if (interrupted.has(keys.room(name).channel)) room.repair();
    });
  }

  /** Follows a room until the hold is released, and a little longer. */
  hold(name: string): RoomHold {
    const known = this.rooms.get(name);
    const followed = known ?? this.follow(name);
    followed.holds++;
    clearTimeout(followed.linger);
    delete followed.linger;
    return new FeedHold(this, followed, known === undefined);
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

  /**
   * Takes a hold back.
   * @internal
   */
  released(followed: Followed): void {
    if (--followed.holds > 0 || this.rooms.get(followed.name) !== followed) return;
    followed.linger = setTimeout(() => this.drop(followed), this.pauses.lingerMs).unref();
  }

  /** Number of rooms that are followed. */
  get size(): number {
    return this.rooms.size;
  }

  /** Sends a volatile event to the room's members on all nodes; at most once, unordered with the log. */
  async publishVolatile(room: string, event: string, data: string, except?: string): Promise<void> {
    const { nodeId, channels, keys, listener } = this.options;
    // Local clients get it without the engine.
    listener.deliverVolatile(room, event, data, except);
    await channels.publish(
      keys.room(room).channel,
      encodeVolatile({ nodeId, event, data, ...(except && { except }) }),
    );
  }

  /** Stops following everything. */
  close(): void {
    clearInterval(this.timer);
    this.watermark?.close();
    for (const followed of [...this.rooms.values()]) this.drop(followed);
  }

  private *watched(): Iterable<WatchedRoom> {
    for (const [name, { room, started }] of this.rooms) {
      if (!started()) continue;
      const { position, replicationId } = room;
      yield { name, position, replicationId };
    }
  }

  /** Finds events that the subscription missed last: without a later event, nothing else would show the gap. */
  private async compareQuiet(): Promise<void> {
    this.reads.parts.expire();
    if (this.comparing) return;
    this.comparing = true;
    const now = performance.now();
    const quiet = [...this.rooms].filter(
      ([, { room, started }]) => started() && now - room.heardAt >= this.pauses.quietMs,
    );
    try {
      for (let from = 0; from < quiet.length; from += MAX_COMPARED) {
        const part = quiet.slice(from, from + MAX_COMPARED);
        const tops = await this.options.store.tops(part.map(([name]) => name));
        part.forEach(([, { room }], index) => room.compare(tops[index]));
      }
      await this.keepIdle(now);
    } catch (error) {
      reportFailures('be compared with their logs', [error]);
    }
    this.comparing = false;
  }

  /** Keeps rooms with members from ending (R17), each independently of the others. */
  private async keepIdle(now: number): Promise<void> {
    const due = [...this.rooms].filter(([name, followed]) => this.isDue(name, followed, now));
    const failures: unknown[] = [];
    for (let from = 0; from < due.length; from += MAX_KEPT) {
      const part = due.slice(from, from + MAX_KEPT);
      const kept = await Promise.allSettled(
        part.map(([name, followed]) => this.keepOne(name, followed, now)),
      );
      failures.push(...kept.flatMap((room) => (room.status === 'rejected' ? [room.reason as unknown] : [])));
    }
    reportFailures('be kept from their idle end', failures);
  }

  private isDue(name: string, { linger, keptAt, started }: Followed, now: number): boolean {
    if (linger || !started()) return false;
    // Even a room without an idle end may have one: while nothing was committed in it, or if its kind had one before.
    return now - keptAt >= (this.idleTtlOf(name) || UNUSED_MS) / 2;
  }

  private async keepOne(name: string, followed: Followed, now: number): Promise<void> {
    await this.options.store.keep(name, this.idleTtlOf(name));
    followed.keptAt = now;
  }

  private idleTtlOf(name: string): number {
    return this.options.typeOf(name)?.idleTtlMs ?? 0;
  }

  private follow(name: string): Followed {
    const { channels, keys, store, listener, presence, typeOf, emptyDocuments } = this.options;
    const idleTtlMs = this.idleTtlOf(name);
    const room = new FollowedRoom({
      room: name,
      store: {
        resume: async (request) => this.told(await store.resume({ ...request, idleTtlMs }), request),
        tops: (rooms) => store.tops(rooms),
      },
      reads: this.reads,
      listener,
      ...(presence && { presence }),
      historyEvents: typeOf(name)?.history.events ?? 1_000,
      emptyDocuments: emptyDocuments(name),
    });
    const onMessage = (message: string): void => this.onMessage(name, room, message);
    const opened = channels.subscribe(keys.room(name).channel, onMessage).then(() => room.start());
    let started = false;
    const followed: Followed = {
      name,
      room,
      opened,
      onMessage,
      started: () => started,
      keptAt: -Infinity,
      holds: 0,
    };
    void opened.then(
      () => (started = true),
      () => undefined,
    );
    this.rooms.set(name, followed);
    opened.catch(() => this.drop(followed));
    return followed;
  }

  /** Members that can't go on concern an operator; losses that the store knows of it reports itself. */
  private told(reply: ResumeReply, { from }: Pick<ResumeRequest, 'from'>): ResumeReply {
    const { losses = lostHistories } = this.options;
    if (from && reply.reason && !reply.lostParts) losses.report(reply.reason);
    return reply;
  }

  private drop(followed: Followed): void {
    const { name, room, onMessage } = followed;
    if (this.rooms.get(name) !== followed) return;
    this.rooms.delete(name);
    this.watermark?.forget(name);
    this.reads.parts.forget(name);
    clearTimeout(followed.linger);
    room.stop();
    this.options.channels.unsubscribe(this.options.keys.room(name).channel, onMessage);
  }

  private onCommitted(name: string, epoch: string, entries: readonly LogEntry[]): void {
    this.rooms.get(name)?.room.accept(epoch, entries, true);
  }

  private onMessage(name: string, room: FollowedRoom, message: string): void {
    if (isVolatile(message)) return this.onVolatile(name, message);
    if (isPresence(message)) return this.onPresence(name, presenceJson(message));
    const { epoch, last } = readMessageHead(message);
    // An echo of delivered entries is dropped before it is decoded.
    if (room.has(epoch, last)) return;
    room.accept(epoch, decodeMessage(message).entries, false);
  }

  private onPresence(name: string, delta: string): void {
    this.options.presence?.announced(name, delta);
    this.options.listener.deliverPresence(name, delta);
  }

  private onVolatile(name: string, message: string): void {
    const { nodeId, event, data, except } = decodeVolatile(message);
    if (nodeId !== this.options.nodeId) this.options.listener.deliverVolatile(name, event, data, except);
  }
}
