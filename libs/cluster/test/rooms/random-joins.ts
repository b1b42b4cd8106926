import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { RoomStart, StartRequest } from '@wss/core';
import type { Position } from '@wss/protocol';
import {
  appendWork,
  Committer,
  type ResumeReply,
  type ResumeRequest,
  type RoomStore,
  type Work,
} from '@wss/state';
import { eventually, type Random } from '@wss/testing';
import { FeedFaults, LostHistories, RoomFeed } from '../../src/index.js';
import { FeedClient } from './feed-clients.js';
import type { FeedEngine } from './feed-engine.js';
import { SlowChannels } from './feed-node.js';

/** Events that are replayed at most. */
const HISTORY = 40;
const STEPS = 60;
/** A part has one entry or a few. */
const LIMITS = { entries: 4, bytes: 3_000 };

/** Answers that wait until they are let go. */
class Gate {
  private waiting: (() => void)[] = [];
  isOpen = false;

  async pass(): Promise<void> {
    if (!this.isOpen) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  releaseOne(): void {
    this.waiting.shift()?.();
  }

  open(): void {
    this.isOpen = true;
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

type Node = Awaited<ReturnType<FeedEngine['openNode']>>;

/** An engine, and two nodes' ways to it. */
export interface JoinNodes {
  readonly engine: FeedEngine;
  readonly reader: Node;
  readonly writer: Node;
}

interface JoinParts {
  readonly engine: FeedEngine;
  readonly random: Random;
  readonly store: RoomStore;
  readonly channels: SlowChannels;
  readonly writer: Committer;
}

/**
 * One room, a writer, and a node that clients join anywhere: by position, with the newest events, with documents; while
 * entries of all sizes are written, reads are slow, the log is trimmed and the history changes between two parts.
 */
export class RandomJoins {
  private readonly room = `feed:${randomUUID()}`;
  private readonly gate = new Gate();
  private readonly clients: FeedClient[] = [];
  private readonly known: Position[] = [];
  private readonly under = new Set<Promise<void>>();
  /** Last number of each epoch that survived its end; noted before it ends. */
  private readonly ends = new Map([['', 0]]);
  private surviving = new Map<number, string>();
  private checkpointed?: Map<number, string>;
  private oldest = 1;
  private epoch = '';
  private failure?: Error;

  private constructor(private readonly parts: JoinParts) {}

  /** @returns what happened, counted */
  static async run(nodes: JoinNodes, random: Random): Promise<Record<string, number>> {
    const { engine, reader, writer } = nodes;
    const types = {
      of: () => ({ type: 'feed', history: { events: 1_000, ttlMs: 86_400_000 }, idleTtlMs: 0 }),
    };
    const committer = new Committer(writer.store, types, { nodeId: randomUUID(), channels: writer.channels });
    const channels = new SlowChannels(reader.channels);
    try {
      return await new RandomJoins({
        engine,
        random,
        store: reader.store,
        channels,
        writer: committer,
      }).all();
    } finally {
      committer.close();
    }
  }

  private async all(): Promise<Record<string, number>> {
    const reader = new Committer(
      this.parts.store,
      { of: () => undefined as never },
      { nodeId: 'r', channels: this.parts.channels },
    );
    const losses = new LostHistories();
    const feed = new RoomFeed({
      nodeId: randomUUID(),
      store: this.slowStore(),
      channels: this.parts.channels,
      keys: this.parts.engine.keys,
      committer: reader,
      typeOf: () => ({ history: { events: HISTORY }, idleTtlMs: 0 }),
      emptyDocuments: () => new Map(),
      losses,
      faults: new FeedFaults(),
      listener: {
        deliver: (_room, epoch, entries) => this.each((client) => client.deliver(epoch, entries)),
        deliverVolatile: () => undefined,
        deliverPresence: () => undefined,
        reset: async (_room, _before, reset) => this.each((client) => client.reset(reset)),
        epochChanged: async () => undefined,
        letGo: () => undefined,
      },
    });
    try {
      await this.commit();
      for (let i = 0; i < STEPS; i++) await this.step(feed);
      await this.settle(feed);
      return this.counts;
    } finally {
      feed.close();
      losses.close();
      reader.close();
    }
  }

  private readonly counts: Record<string, number> = {};

  private count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  private each(work: (client: FeedClient) => void): void {
    try {
      for (const client of this.clients) work(client);
    } catch (error) {
      this.failure ??= error as Error;
    }
  }

  /** The reader's way to the engine: small parts, and answers that come late. */
  private slowStore(): RoomStore {
    const store = Object.create(this.parts.store) as RoomStore;
    store.resume = async (request: ResumeRequest): Promise<ResumeReply> => {
      if (this.parts.random.below(2) === 0) await this.gate.pass();
      const reply = await this.parts.store.resume({ ...request, limits: LIMITS });
      if (this.parts.random.below(2) === 0) await this.gate.pass();
      return reply;
    };
    return store;
  }

  private async step(feed: RoomFeed): Promise<void> {
    const dice = this.parts.random.below(100);
    if (dice < 35) await this.commit();
    else if (dice < 60) this.join(feed);
    else if (dice < 70) this.catchUp(feed);
    else if (dice < 85) this.gate.releaseOne();
    else if (dice < 88) await this.trim();
    else if (dice < 91) this.parts.channels.hold();
    else if (dice < 95) this.parts.channels.release(this.parts.random.below(3));
    else if (dice < 97) await this.checkpoint();
    else await this.failOver();
    for (let turns = this.parts.random.below(4); turns > 0; turns--) await setImmediate();
    if (this.failure) throw this.failure;
  }

  private async commit(): Promise<void> {
    const { random } = this.parts;
    const count = random.pick([1, 1, 1, 2, 5]);
    const events = Array.from({ length: count }, () => ({
      event: '"e"',
      data: JSON.stringify(`${randomUUID()}${'x'.repeat(random.pick([0, 10, 500, 2_000, 70_000]))}`),
    }));
    const one = appendWork({ room: this.room }, { event: 'e', data: 0 });
    const outcome = { kind: 'position' } as const;
    const work: Work = { ...one, prepare: () => ({ events, changes: [], counters: [], outcome }) };
    const { position } = await this.parts.writer.perform(work);
    if (
      position.epoch === this.epoch
        ? this.ends.has(this.epoch)
        : this.ends.get(this.epoch) !== position.seq - count
    )
      throw new Error(`${JSON.stringify(position)} follows the end of ${this.epoch}`);
    this.epoch = position.epoch;
    events.forEach(({ data }, i) => this.surviving.set(position.seq - count + 1 + i, data));
    this.known.push(position);
  }

  private join(feed: RoomFeed): void {
    const { random } = this.parts;
    const kind = random.below(4);
    const from = kind < 2 ? random.pick(this.known) : undefined;
    const newest = kind === 2 ? random.pick([1, 3, 10, 100]) : 0;
    const client = new FeedClient(String(this.clients.length), from);
    this.clients.push(client);
    this.begin(feed, client, { documents: kind === 3, newest, ...(from && { from }) });
  }

  private catchUp(feed: RoomFeed): void {
    const client = this.parts.random.pick([undefined, ...this.clients.filter(({ lagging }) => lagging)]);
    if (client) this.begin(feed, client, { documents: false, from: client.lagging! });
  }

  private begin(feed: RoomFeed, client: FeedClient, request: StartRequest): void {
    const { lagging } = client;
    const begun = feed
      .begin(this.room, request, (start) => {
        if (client.lagging !== lagging) return;
        this.count(start.reason ?? (start.more ? 'part' : 'whole'));
        if (start.reason) this.checkReason(request.from!, start.reason, start);
        if (request.newest) this.checkNewest(request.newest, start);
        client.start(start);
      })
      .catch((error: Error) => (this.failure ??= error))
      .finally(() => this.under.delete(done));
    const done = begun.then(() => undefined);
    this.under.add(done);
  }

  private checkReason(from: Position, reason: string, { position, missed, lost }: RoomStart): void {
    // The present epoch has no end: nothing of it is lost.
    const end = this.ends.get(from.epoch) ?? Infinity;
    const right = {
      trimmed: from.seq + 1 < this.oldest,
      // The documents may be a little older than the room is.
      too_far: position.seq + missed - from.seq > HISTORY,
      rolled_back: from.seq > end && lost?.from === end + 1 && lost.to === from.seq,
    }[reason];
    if (!right)
      throw new Error(`${JSON.stringify(from)} is ${reason} at ${position.seq}, log from ${this.oldest}`);
  }

  private checkNewest(newest: number, { position, entries, missed }: RoomStart): void {
    const least = Math.min(newest, HISTORY, position.seq - Math.max(this.oldest, 1) + 1);
    if (missed < least) throw new Error(`${missed} of ${least} newest events, from ${entries[0]?.first}`);
  }

  /** As the commits of a long life do. */
  private async trim(): Promise<void> {
    const at = this.parts.random.pick(this.known).seq;
    if (at < this.oldest || !this.surviving.has(at + 1)) return;
    this.oldest = at + 1;
    await this.parts.engine.trim(this.room, at);
    this.count('trims');
  }

  private async checkpoint(): Promise<void> {
    await this.parts.engine.checkpoint();
    this.checkpointed = new Map(this.surviving);
  }

  private async failOver(): Promise<void> {
    const surviving = this.checkpointed ?? this.surviving;
    // Known before: the reader may see the next epoch, and open it, before the writer's reply tells of it.
    this.ends.set(this.epoch, Math.max(...surviving.keys()));
    await this.parts.engine.failOver();
    this.count(this.checkpointed ? 'tails lost' : 'histories');
    this.surviving = surviving;
    delete this.checkpointed;
    await this.commit();
  }

  private async settle(feed: RoomFeed): Promise<void> {
    this.gate.open();
    this.parts.channels.release();
    while (this.under.size > 0) await Promise.all(this.under);
    for (;;) {
      const behind = this.clients.filter(({ lagging }) => lagging);
      if (behind.length === 0) break;
      for (const client of behind) this.begin(feed, client, { documents: false, from: client.lagging! });
      await Promise.all(this.under);
      if (this.failure) throw this.failure;
    }
    await this.commit();
    const { seq } = this.known.at(-1)!;
    await eventually(() => {
      if (this.failure) throw this.failure;
      for (const client of this.clients) if (client.at?.seq !== seq) throw new Error(`not at ${seq}`);
    });
    for (const { seen } of this.clients) {
      for (const [number, data] of seen) {
        if (this.surviving.get(number) !== data)
          throw new Error(`event ${number} is not the one that survived`);
      }
    }
  }
}
