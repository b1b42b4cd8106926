import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { RoomStart } from '@wss/core';
import { RedisKeys } from '@wss/redis';
import { appendWork, Committer, ROOM_FORMAT, type RoomStore, StoreError } from '@wss/state';
import { eventually, RedisServer } from '@wss/testing';
import { FeedFaults, LostHistories, RoomFeed, RoomFormats, SessionKeeper } from '../../src/index.js';
import type { NodeInfo } from '../../src/nodes/node-registry.js';
import { captureLogs, releaseLogs } from '../captured-logs.js';
import { type NodeLinks, redisClusterOn } from '../engines.js';
import { CLOCKS, withClock } from '../off-clocks.js';

const MINUTE = 60_000;
const DAY = 86_400_000;

describe('how long rooms live in Redis', () => {
  let server: RedisServer;
  let links: NodeLinks;
  let room: string;
  const keys = new RedisKeys('test');
  const closing: (() => void)[] = [];

  beforeAll(async () => {
    server = await RedisServer.start();
    links = await redisClusterOn(server, keys).openNode({ nodeId: 'a' });
  });
  afterAll(async () => {
    await links?.close();
    await server?.stop();
  });
  beforeEach(() => {
    room = `life:${randomUUID()}`;
  });
  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });

  /** A node whose rooms live for so long when they are idle. */
  function openNode(
    idleTtlMs: number,
    store: RoomStore = links.store,
  ): { feed: RoomFeed; committer: Committer } {
    const { channels } = links;
    const type = { type: 'life', history: { events: 1_000, ttlMs: DAY }, idleTtlMs };
    const committer = new Committer(store, { of: () => type }, { nodeId: randomUUID() });
    const losses = new LostHistories();
    const feed = new RoomFeed({
      nodeId: randomUUID(),
      store,
      channels,
      keys,
      committer,
      typeOf: () => type,
      pauses: { quietMs: 50 },
      losses,
      faults: new FeedFaults(),
      emptyDocuments: () => new Map(),
      listener: {
        deliver: () => undefined,
        deliverVolatile: () => undefined,
        deliverPresence: () => undefined,
        reset: () => Promise.resolve(),
        epochChanged: () => Promise.resolve(),
        letGo: () => undefined,
      },
    });
    closing.push(() => {
      feed.close();
      losses.close();
      committer.close();
    });
    return { feed, committer };
  }
  async function join(feed: RoomFeed): Promise<RoomStart> {
    let begun: RoomStart | undefined;
    await feed.hold(room).begin({ documents: true }, (start) => (begun = start));
    return begun!;
  }
  /** For how long a key still lives by Redis' clock, ms; -1 for good, -2 if it is not there. */
  const left = async (name: 'meta' | 'log' | 'documents'): Promise<number> =>
    Number(await server.cli('PTTL', keys.room(room)[name]));

  it.each(CLOCKS)('R30: a room with members is kept by a node whose clock is %s', (_what, offset) =>
    withClock(offset, async () => {
      const { feed, committer } = openNode(10 * MINUTE);
      await committer.perform(appendWork({ room }, { event: 'x', data: {} }));
      await links.store.keep(room, MINUTE);
      expect(await left('log')).toBeLessThan(2 * MINUTE);
      const { position } = await join(feed);
      await eventually(async () => {
        for (const key of ['meta', 'log'] as const) expect(await left(key)).toBeGreaterThan(9 * MINUTE);
      });
      expect(await links.store.tops([room])).toEqual([position]);
    }),
  );

  it('R17: a room in which nothing was committed is kept as long as somebody is in it, and no longer', async () => {
    const { feed } = openNode(0);
    await links.store.resume({ room, idleTtlMs: MINUTE });
    const { position } = await join(feed);
    await eventually(async () => expect(await left('meta')).toBeGreaterThan(50 * MINUTE));
    expect(await links.store.tops([room])).toEqual([position]);
    expect(await left('meta')).toBeLessThan(90 * MINUTE);
  });

  it.each([
    ['the engine', () => new StoreError('unavailable', 'the link is cut')],
    ['a bug', () => new TypeError('the link is cut')],
  ])(
    'R17: a room that can not be kept because of %s is told in one line, and tried on',
    async (_what, fail) => {
      let attempts = 0;
      const failing = Object.create(links.store) as RoomStore;
      failing.keep = () => {
        attempts++;
        return Promise.reject(fail());
      };
      // Half of it is gone at each look.
      const { feed } = openNode(100, failing);
      const lines = captureLogs();
      try {
        await join(feed);
        await eventually(() => expect(attempts).toBeGreaterThan(1), { withinMs: 10_000 });
      } finally {
        releaseLogs();
      }
      const told = lines.filter((line) => line.includes('the link is cut'));
      expect(told).toEqual([expect.stringMatching(/^rooms with members can't be kept from their idle end/)]);
    },
  );

  it('R17: a room that was to end idle, and whose type does not end any more, is kept for good', async () => {
    const before = openNode(10 * MINUTE);
    await before.committer.perform(appendWork({ room }, { event: 'x', data: {} }));
    expect(await left('meta')).toBeGreaterThan(0);
    const { feed } = openNode(0);
    const { position } = await join(feed);
    await eventually(async () => expect(await left('meta')).toBe(-1));
    expect(await links.store.tops([room])).toEqual([position]);
  });

  it('R36: the numbers of a session go on in a room that has ended while it was elsewhere', async () => {
    const sessions = await SessionKeeper.start(links.sessions, { ttlMs: DAY });
    closing.push(() => sessions.close());
    const { session } = await sessions.open('ann');
    await sessions.prepareLane(session, room);
    const lane = { id: session.id, generation: session.generation, endsAt: session.endsAt };
    const entry = (n: number) => ({
      lane,
      n,
      ack: 0,
      fingerprint: `f${n}`,
      events: [{ event: '"x"', data: '{}' }],
      outcome: { kind: 'position' } as const,
    });
    const history = { events: 100, ttlMs: DAY };
    const commit = (n: number, idleTtlMs: number) =>
      links.store.commit({ room, entries: [entry(n)], documents: [], history, idleTtlMs });
    await commit(1, 1);
    await eventually(async () => expect(await links.store.tops([room])).toEqual([undefined]));
    expect(await left('meta')).toBeGreaterThan(DAY);
    await links.sessions.extendLanes(session.id, await links.sessions.extend(session, 3 * DAY));
    expect(await left('meta')).toBeGreaterThan(3 * DAY);
    expect(await commit(2, MINUTE)).toMatchObject({ status: 'committed', seqs: [2] });
    expect(await links.store.numbers(room, [session.id])).toEqual([2]);
  });

  describe('R41: nothing is left that an older node would not know', () => {
    const node = (nodeId: string, rooms: number): NodeInfo => ({ nodeId, startedAt: 1, packets: 1, rooms });
    const [own, newer, older] = [node('own', ROOM_FORMAT), node('b', ROOM_FORMAT + 1), node('a', 1)];
    let now: number;
    let replicationId: string;
    let alive: () => Promise<NodeInfo[]>;
    let formats: RoomFormats;

    beforeEach(() => {
      now = 0;
      replicationId = 'first';
      alive = () => Promise.resolve([own, newer]);
      formats = new RoomFormats({
        registry: { self: own, alive: () => alive() },
        presence: { look: () => Promise.resolve({ replicationId, now, owners: [] }) },
        now: () => now,
      });
    });
    async function seconds(count: number): Promise<boolean> {
      for (let i = 0; i < count; i++) {
        now += 1_000;
        await formats.look();
      }
      return formats.knowStubs;
    }

    it('while one lives, and until all nodes have had the time to take their leases', async () => {
      expect(await seconds(10)).toBe(false);
      expect(await seconds(2)).toBe(true);
      alive = () => Promise.resolve([older, own, newer]);
      expect(await seconds(1)).toBe(false);
      alive = () => Promise.resolve([own, newer]);
      expect(await seconds(1)).toBe(true);
    });

    it('where leases are gone with an outage or with the data, or this node has none', async () => {
      alive = () => Promise.resolve([older, own]);
      expect(await seconds(20)).toBe(false);
      alive = () => Promise.reject(new Error('out of reach'));
      expect(await seconds(9)).toBe(false);
      alive = () => Promise.resolve([own]);
      expect(await seconds(3)).toBe(false);
      replicationId = 'second';
      expect(await seconds(10)).toBe(false);
      alive = () => Promise.resolve([]);
      expect(await seconds(10)).toBe(false);
      alive = () => Promise.resolve([newer]);
      expect(await seconds(20)).toBe(false);
      alive = () => Promise.resolve([own, newer]);
      expect(await seconds(1)).toBe(true);
    });

    it('and what is known stays so while a look fails', async () => {
      expect(await seconds(12)).toBe(true);
      alive = () => Promise.reject(new Error('out of reach'));
      expect(await seconds(20)).toBe(true);
      alive = () => Promise.resolve([own]);
      expect(await seconds(1)).toBe(true);
      alive = () => Promise.resolve([own, older]);
      expect(await seconds(1)).toBe(false);
    });
  });
});
