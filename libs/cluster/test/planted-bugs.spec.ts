import { afterEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { RedisKeys } from '@wss/redis';
import { MemoryEngine, MemoryRoomStore, type RoomStore } from '@wss/state';
import { eventually } from '@wss/testing';
import { type Channels, MemoryClusterChannels, NodePresence } from '../src/index.js';
import { FollowedRoom } from '../src/following/followed-room.js';
import { PresenceWatch } from '../src/presence/presence-watch.js';
import { FeedNode } from './rooms/feed-node.js';
import {
  announcementsOf,
  fold,
  LEASE,
  memoryPresence,
  type PresenceLinks,
} from './presence/presence-engines.js';

/** How long a promise may take to be kept; a bug that is found costs it. */
const WITHIN = { withinMs: 4_000 };

/** Undoes what a bug has changed. */
type Undo = () => void;

interface Planted {
  readonly bug: string;
  readonly plant: () => Undo;
  /** Resolves when the promise was kept. */
  readonly scene: () => Promise<void>;
  /** Matches the message of the check that finds it. */
  readonly found: RegExp;
}

/** Takes another method into a class for the time of a test; the product has no switch for bugs. */
function instead<T extends object, K extends keyof T>(of: T, name: K, method: T[K]): Undo {
  const original = of[name];
  of[name] = method;
  return () => void (of[name] = original);
}

const KEYS = new RedisKeys('test');
const channelOf = (room: string): string => KEYS.room(room).channel;

/** A store to which the comparison of quiet rooms is blind: what a subscription misses stays missed. */
function withoutComparison(engine: MemoryEngine): RoomStore {
  const store = Object.create(new MemoryRoomStore(engine, channelOf)) as RoomStore;
  store.tops = (rooms) => Promise.resolve(rooms.map(() => 'unreachable' as const));
  return store;
}

function feedNodes(): { engine: MemoryEngine; open: () => FeedNode<Channels> } {
  const engine = new MemoryEngine();
  const room = `feed:${randomUUID()}`;
  const open = (): FeedNode<Channels> => {
    const node = new FeedNode<Channels>(
      room,
      KEYS,
      withoutComparison(engine),
      new MemoryClusterChannels(engine),
    );
    closing.push(async () => node.close());
    return node;
  };
  return { engine, open };
}

/** An event is written right after a client has joined, and nothing after it. */
async function writtenAfterTheJoin(): Promise<void> {
  const { open } = feedNodes();
  const [writer, reader] = [open(), open()];
  await writer.join();
  await reader.join();
  await writer.add();
  await eventually(() => expect(reader.seqs).toEqual([1]), WITHIN);
}

/** A member has seen more than what survives a failover, after which as much is written again. */
async function sameNumbersAgain(): Promise<void> {
  const { engine, open } = feedNodes();
  const [writer, reader] = [open(), open()];
  for (const node of [writer, reader]) await node.join();
  await writer.add();
  engine.pauseReplication();
  await writer.add();
  await eventually(() => expect(reader.seqs).toEqual([1, 2]));
  engine.promote();
  await writer.add();
  await eventually(() => expect(reader.resets).toMatchObject([{ reason: 'rolled_back' }]), WITHIN);
}

/** The engine comes back without leases, and one node comes back to it later than the other. */
async function backLaterThanTheOther(): Promise<void> {
  const engine = await memoryPresence();
  const room = `chat:${randomUUID()}`;
  const deltas = await engine.hear(room);
  const [first, second] = [await openNode('a'), await openNode('b')];
  first.presence.entered(room, { id: 'a.1', user: 'ann' });
  second.presence.entered(room, { id: 'b.1', user: 'bob' });
  await eventually(() => expect(fold(deltas)).toEqual(['ann', 'bob']));
  await first.links.setReachable(false);
  await engine.newHistory();
  await engine.endLeases();
  const { looks } = second;
  await eventually(() => expect(second.looks).toBeGreaterThan(looks + 8));
  await first.links.setReachable(true);
  const { presence } = first;
  await eventually(async () => {
    expect(first.links.registry.holdsLease).toBe(true);
    expect([...(await engine.store.inspect(room, presence.owner)).entries.values()]).toEqual(['ann']);
  });
  expect(announcementsOf(deltas, 'ann')).toEqual({ joined: 1, left: 0 });

  async function openNode(
    nodeId: string,
  ): Promise<{ presence: NodePresence; links: PresenceLinks; readonly looks: number }> {
    const links = await engine.openNode(nodeId);
    const { store, registry } = links;
    let count = 0;
    const look = store.look.bind(store);
    store.look = () => {
      count++;
      return look();
    };
    const node = new NodePresence({ store, registry, ...LEASE, graceMs: 0, pauseMs: 0 });
    closing.push(async () => {
      await node.close();
      await registry.leave();
    });
    await registry.join();
    node.start();
    return {
      presence: node,
      links,
      get looks() {
        return count;
      },
    };
  }
}

const PLANTED: readonly Planted[] = [
  {
    bug: 'subscribe after read',
    scene: writtenAfterTheJoin,
    found: /Array \[\]/,
    plant: () => {
      // Held only when what was asked for at first has long been read and written: when the wait for it is over, by
      // whatever clock it counts.
      const late: (() => Promise<unknown>)[] = [];
      const { subscribe } = MemoryClusterChannels.prototype;
      const undoSubscribe = instead(
        MemoryClusterChannels.prototype,
        'subscribe',
        function (this: MemoryClusterChannels, ...subscription) {
          late.push(() => subscribe.apply(this, subscription));
          return Promise.resolve();
        },
      );
      return () => {
        undoSubscribe();
        for (const hold of late) void hold();
      };
    },
  },
  {
    bug: 'drop by number alone',
    scene: sameNumbersAgain,
    found: /rolled_back/,
    plant: () =>
      instead(FollowedRoom.prototype, 'has', function (this: FollowedRoom, _epoch, last) {
        return last <= this.position.seq;
      }),
  },
  {
    bug: 'clean up right after the engine has come back',
    scene: backLaterThanTheOther,
    found: /left/,
    plant: () => instead(PresenceWatch.prototype, 'isSteady', () => true),
  },
];

const closing: (() => Promise<void>)[] = [];
let undo: Undo | undefined;
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  undo?.();
  undo = undefined;
});

describe('planted bugs of delivery and presence', () => {
  it.each(PLANTED)('are found: $bug', async ({ plant, scene, found }) => {
    undo = plant();
    await expect(scene()).rejects.toThrow(found);
  });

  it.each(PLANTED)('and nothing is found without: $bug', ({ scene }) => scene());
});
