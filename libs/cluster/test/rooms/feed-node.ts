import { randomUUID } from 'node:crypto';
import type { RoomHold, HistoryReset, RoomStart, StartRequest } from '@wss/core';
import type { LogEntry, Position } from '@wss/protocol';
import type { RedisKeys } from '@wss/redis';
import { appendWork, Committer, type ResumeReply, type ResumeRequest, type RoomStore } from '@wss/state';
import { Channels, FeedFaults, LostHistories, RoomFeed } from '../../src/index.js';
import type { MessageListener } from '../../src/channels/channels.js';
import type { RoomFeedOptions } from '../../src/rooms/room-feed.js';

const LIMITS = { type: 'feed', history: { events: 1_000, ttlMs: 86_400_000 } };

/** The engine's channels, whose messages can be kept from the node for a while, as a slow link does. */
export class SlowChannels extends Channels {
  private held?: (() => void)[];
  private readonly slow = new Map<MessageListener, MessageListener>();

  constructor(private readonly channels: Channels) {
    super();
  }

  hold(): void {
    this.held = [];
  }

  /** How many messages wait. */
  get waiting(): number {
    return this.held?.length ?? 0;
  }

  /** @param lost how many of those that wait, the oldest ones, never arrive */
  release(lost = 0): void {
    const held = this.held ?? [];
    delete this.held;
    for (const deliver of held.slice(lost)) deliver();
  }

  subscribe(channel: string, listener: MessageListener): Promise<void> {
    const slow: MessageListener = (message) => {
      if (this.held) this.held.push(() => listener(message));
      else listener(message);
    };
    this.slow.set(listener, slow);
    return this.channels.subscribe(channel, slow);
  }

  keep(channel: string, listener: MessageListener): Promise<void> {
    return this.subscribe(channel, listener);
  }

  unsubscribe(channel: string, listener: MessageListener): void {
    this.channels.unsubscribe(channel, this.slow.get(listener)!);
    this.slow.delete(listener);
  }

  publish(channel: string, message: string): Promise<void> {
    return this.channels.publish(channel, message);
  }

  onInterruption(callback: Parameters<Channels['onInterruption']>[0]): void {
    this.channels.onInterruption(callback);
  }
}

type Told =
  | { readonly seqs: readonly number[]; readonly epoch: string }
  | { readonly reset: HistoryReset }
  | { readonly epochAfter: number; readonly epoch: string }
  | { readonly durable: Position };

/** Settings of a node's feed, and of its rooms' kind. */
export type FeedNodeSettings = Partial<Pick<RoomFeedOptions, 'losses' | 'pauses'>> & {
  readonly idleTtlMs?: number;
};

/** A node with one member of a room, which notes its events. */
export class FeedNode<C extends Channels = SlowChannels> {
  readonly told: Told[] = [];
  readonly events: { seq: number; data: string }[] = [];
  reads = 0;
  /** Of events, in answers to reads. */
  charactersRead = 0;
  readonly committer: Committer;
  private readonly feed: RoomFeed;
  private readonly losses: LostHistories;
  private hold?: RoomHold;

  constructor(
    readonly room: string,
    keys: RedisKeys,
    store: RoomStore,
    readonly channels: C,
    { idleTtlMs = 0, ...settings }: FeedNodeSettings = {},
  ) {
    const nodeId = randomUUID();
    const limits = { ...LIMITS, idleTtlMs };
    this.committer = new Committer(store, { of: () => limits }, { nodeId, channels });
    this.losses = settings.losses ?? new LostHistories();
    this.feed = new RoomFeed({
      nodeId,
      store: this.counting(store),
      channels,
      keys,
      committer: this.committer,
      typeOf: () => limits,
      ...settings,
      losses: this.losses,
      faults: new FeedFaults(),
      emptyDocuments: () => new Map(),
      durability: { durable: (_room, durable) => void this.told.push({ durable }) },
      listener: {
        deliver: (_room, epoch, entries) => this.onEntries(epoch, entries),
        deliverVolatile: () => undefined,
        deliverPresence: () => undefined,
        reset: async (_room, _before, reset) => void this.told.push({ reset }),
        letGo: () => undefined,
        epochChanged: async (_room, _before, { epoch, seq }) =>
          void this.told.push({ epoch, epochAfter: seq }),
      },
    });
  }

  join(from?: Position): Promise<RoomStart> {
    return this.begin({ ...(from && { from }) });
  }

  async begin(request: Partial<StartRequest>): Promise<RoomStart> {
    let begun: RoomStart | undefined;
    const hold = this.feed.hold(this.room);
    await hold.begin({ documents: false, ...request }, (start) => (begun = start));
    this.hold?.release();
    this.hold = hold;
    return begun!;
  }

  /** Tells that the member has left. */
  release(): void {
    this.hold?.release();
  }

  /** Adds one event; the room's position after it. */
  async add(text = ''): Promise<Position> {
    const event = { event: 'added', data: { text } };
    return (await this.committer.perform(appendWork({ room: this.room }, event))).position;
  }

  get seqs(): number[] {
    return this.events.map(({ seq }) => seq);
  }

  get resets(): HistoryReset[] {
    return this.told.flatMap((told) => ('reset' in told ? [told.reset] : []));
  }

  get durable(): Position[] {
    return this.told.flatMap((told) => ('durable' in told ? [told.durable] : []));
  }

  close(): void {
    this.feed.close();
    this.losses.close();
    this.committer.close();
  }

  private onEntries(epoch: string, entries: readonly LogEntry[]): void {
    const seqs: number[] = [];
    for (const { first, events } of entries) {
      events.forEach(({ data }, i) => {
        seqs.push(first + i);
        this.events.push({ seq: first + i, data });
      });
    }
    this.told.push({ epoch, seqs });
  }

  private counting(store: RoomStore): RoomStore {
    const counted = Object.create(store) as RoomStore;
    counted.resume = async (request: ResumeRequest): Promise<ResumeReply> => {
      this.reads++;
      const reply = await store.resume(request);
      this.charactersRead += JSON.stringify(reply.entries).length;
      return reply;
    };
    return counted;
  }
}
