import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { RoomDelivery } from '../src/rooms/room-delivery.js';
import { OutboundQueue } from '../src/socket/outbound-queue.js';
import { SharedFrames } from '../src/socket/shared-frames.js';
import { FanoutNode, FanoutPlay } from './fanout/fanout-world.js';

/** Undoes what a bug has changed. */
type Undo = () => void;

interface Planted {
  readonly bug: string;
  readonly plant: () => Undo;
  /** The contract's message about it. */
  readonly found: RegExp;
}

/** A bug that does not show in so many plays is not found. */
const PLAYS = 100;
const SEED = 4_408;

/** Takes another method into a class for the time of a test; the product has no switch for bugs. */
function instead<T extends object, K extends keyof T>(of: T, name: K, method: T[K]): Undo {
  const original = Object.getOwnPropertyDescriptor(of, name)!;
  Object.defineProperty(of, name, { configurable: true, writable: true, value: method });
  return () => void Object.defineProperty(of, name, original);
}

const PLANTED: readonly Planted[] = [
  {
    bug: 'a written shared buffer added to',
    found: /got \d+ instead of \d+/,
    plant: () => {
      const { add } = SharedFrames.prototype;
      const undoAdd = instead(SharedFrames.prototype, 'add', function (this: SharedFrames, frame) {
        if (!isWritten(this)) add.call(this, frame);
      });
      const open = Object.getOwnPropertyDescriptor(SharedFrames.prototype, 'open')!;
      Object.defineProperty(SharedFrames.prototype, 'open', { configurable: true, get: () => true });
      return () => {
        undoAdd();
        Object.defineProperty(SharedFrames.prototype, 'open', open);
      };
    },
  },
  {
    bug: 'catch-up from the newest dropped position',
    found: /got \d+ instead of \d+/,
    plant: () => {
      const { drop } = OutboundQueue.prototype;
      return instead(OutboundQueue.prototype, 'drop', function (this: OutboundQueue, filter) {
        return drop.call(this, filter).reverse();
      });
    },
  },
  {
    bug: 'a member that is behind already is not set back',
    found: /got \d+ instead of \d+|stopped before/,
    plant: () => {
      const { pause } = RoomDelivery.prototype;
      return instead(RoomDelivery.prototype, 'pause', function (this: RoomDelivery, room, client, from) {
        const lag = this.lagOf(room, client);
        return (lag && lag.from.seq > from.seq) || pause.call(this, room, client, from);
      });
    },
  },
  {
    bug: 'who joins within a turn gets what was sent before',
    found: /instead of \d+|though it is not in the room/,
    plant: () => {
      const { join } = RoomDelivery.prototype;
      return instead(RoomDelivery.prototype, 'join', function (this: RoomDelivery, ...args) {
        const [room, client, membership] = args;
        const open = openFrames(this, room);
        const place = join.apply(this, args);
        if (open) client.queue?.push(membership.withPatch ? open.patched : open.plain);
        return place;
      });
    },
  },
];

function isWritten(frames: SharedFrames): boolean {
  return (frames as unknown as { joined?: Buffer }).joined !== undefined;
}

function openFrames(
  delivery: RoomDelivery,
  room: string,
): { plain: SharedFrames; patched: SharedFrames } | undefined {
  const { rooms } = delivery as unknown as {
    rooms: Map<string, { open?: { plain: SharedFrames; patched: SharedFrames } }>;
  };
  return rooms.get(room)?.open;
}

describe('planted bugs of the fan-out', () => {
  let node: FanoutNode;
  let undo: Undo | undefined;
  beforeAll(async () => {
    node = await FanoutNode.start();
  });
  afterEach(() => {
    undo?.();
    undo = undefined;
  });
  afterAll(() => node?.stop());

  async function problemsIn(plays: number): Promise<string[]> {
    for (let play = 0; play < plays; play++) {
      const problems = await new FanoutPlay(node, SEED + play).run();
      if (problems.length > 0) return problems;
    }
    return [];
  }

  it.each(PLANTED)('R23, R24: are found: $bug', async ({ plant, found }) => {
    undo = plant();
    expect((await problemsIn(PLAYS)).join('\n')).toMatch(found);
  });

  it('R23, R24: and nothing is found without', async () => {
    expect(await problemsIn(30)).toEqual([]);
  });
});
