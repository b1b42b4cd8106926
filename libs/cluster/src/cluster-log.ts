import type { OnApplicationShutdown } from '@nestjs/common';
import type { RoomHold } from '@wss/core';
import type { LogEntry } from '@wss/protocol';
import type { RedisKeys } from '@wss/redis';
import { Committer, encodeLogEvent, type RoomStore } from '@wss/state';
import type { Channels } from './channels/channels.js';
import { decodePacket, encodePacket, type EventPacket } from './channels/cluster-packet.js';
import type { NodeRegistry } from './nodes/node-registry.js';
import { subscriptionError } from './channels/channel-subscriptions.js';
import type { FeedFaults } from './following/room-faults.js';
import type { LostHistories } from './rooms/lost-histories.js';
import { RoomFeed } from './rooms/room-feed.js';

/** The room whose log holds the cluster's events; no client can name it. */
const ROOM = '$cluster';
/** How many events are kept for nodes that were out of reach, and how long after the last one, ms. */
const LIMITS = { history: { events: 10_000, ttlMs: 3_600_000 }, idleTtlMs: 86_400_000 };
/** Time after which no new attempt is made for an event, ms. */
const PATIENCE_MS = 5_000;

/** A node's callbacks for the cluster's log. */
export interface ClusterLogListener {
  /** An event, in the one order that all nodes see. */
  onEvent(packet: EventPacket): void;
  /** Called if events that this node has not seen can't be read any more, or some that it saw are lost. */
  onGap(): void;
}

/** Dependencies and settings of the log. */
export interface ClusterLogOptions {
  readonly store: RoomStore;
  readonly channels: Channels;
  readonly keys: RedisKeys;
  readonly registry: NodeRegistry;
  readonly losses: LostHistories;
  readonly faults: FeedFaults;
}

/**
 * The log of cluster events: a room log like any other, so that all nodes see one order, a node that was out of
 * reach reads on from where it was, and a loss is declared (R20). The log keeps 10,000 events.
 */
export class ClusterLog implements OnApplicationShutdown {
  private readonly committer: Committer;
  private readonly feed: RoomFeed;
  private listener?: ClusterLogListener;
  private hold?: RoomHold;

  constructor(private readonly options: ClusterLogOptions) {
    const { store, channels, keys, registry, losses, faults } = options;
    const { nodeId } = registry.self;
    this.committer = new Committer(store, { of: () => LIMITS }, { nodeId });
    this.feed = new RoomFeed({
      nodeId,
      store,
      channels,
      keys,
      committer: this.committer,
      listener: {
        deliver: (_room, _epoch, entries) => this.deliver(entries),
        deliverVolatile: () => undefined,
        deliverPresence: () => undefined,
        reset: () => Promise.resolve(this.listener?.onGap()),
        epochChanged: () => Promise.resolve(),
        letGo: () => undefined,
      },
      typeOf: () => LIMITS,
      emptyDocuments: () => new Map(),
      losses,
      faults,
    });
  }

  /**
   * Appends an event. It is in the log once or not at all: after a lost answer the node's own number shows it.
   * @throws GatewayError `unavailable` (it is not in the log), `unknown_outcome` (it may be), `too_large`
   */
  async append(packet: EventPacket): Promise<void> {
    const events = [encodeLogEvent('cluster.event', encodePacket(packet))];
    await this.committer.perform({
      room: ROOM,
      deadline: performance.now() + PATIENCE_MS,
      prepare: () => ({ events, changes: [], counters: [], outcome: { kind: 'skipped' } }),
    });
  }

  /**
   * Hears every event that is appended from now on.
   * @throws Error that names the channel when the engine is out of reach or refuses; nothing is heard then
   */
  async listen(listener: ClusterLogListener): Promise<void> {
    this.hold ??= this.feed.hold(ROOM);
    try {
      await this.hold.begin({ documents: false }, () => (this.listener = listener));
    } catch (error) {
      this.stop();
      const { cause = error } = error as Error;
      throw subscriptionError([this.options.keys.room(ROOM).channel], cause as Error);
    }
  }

  /** Hears nothing any more, until it listens again. */
  stop(): void {
    this.hold?.release();
    delete this.hold;
    delete this.listener;
  }

  onApplicationShutdown(): void {
    this.stop();
    this.committer.close();
    this.feed.close();
  }

  private deliver(entries: readonly LogEntry[]): void {
    for (const { events } of entries) {
      for (const { data } of events) {
        const packet = decodePacket(data);
        if (packet?.kind === 'event') this.listener?.onEvent(packet);
      }
    }
  }
}
