import { afterEach, describe, expect, it } from '@jest/globals';
import { Rooms } from '@wss/cluster';
import { RoomStore } from '@wss/state';
import {
  eventually,
  type FeatureCluster,
  newSeed,
  Random,
  type ServerFrame,
  type TestClient,
} from '@wss/testing';
import { writeSync } from 'node:fs';
import { banned, ClubModule } from './fixtures/club.js';
import { ignoreGates } from './fixtures/ignored-gates.js';
import { nearAndFar, type NearAndFar } from './fixtures/near-and-far.js';

const room = 'club:1';
const STEPS = process.env.CHAOS === 'long' ? 600 : 120;
const USERS = ['ann', 'bob', 'cid', 'dan', 'eve'];

let guestCount = 0;

interface End {
  readonly user: string;
  readonly seq: number;
}

/** Everything that was said in the room by somebody who had been removed since the last join. */
async function unlawful(store: RoomStore, guests: readonly Guest[], ends: readonly End[]): Promise<string[]> {
  const limits = { entries: 10_000, bytes: 100_000_000 };
  const { entries } = await store.resume({ room, after: 0, most: 10_000, limits, idleTtlMs: 0 });
  return entries.flatMap(({ first, events }) =>
    events.flatMap(({ data }, index) => {
      const { text } = (JSON.parse(data) ?? {}) as { text?: string };
      const guest = guests.find(({ name }) => text?.startsWith(`${name} `));
      const seq = first + index;
      const own = ends.filter(({ user, seq: at }) => (user === guest?.user || user === '*') && at < seq);
      const endedAt = Math.max(0, ...own.map(({ seq: at }) => at));
      return guest && guest.joinedBefore(seq) < endedAt ? [`${text} at ${seq}, removed at ${endedAt}`] : [];
    }),
  );
}

/** A user that records everything in the order in which it came. */
class Guest {
  readonly frames: ServerFrame[] = [];
  /** Stands before all that it says. */
  readonly name: string;
  private joins = 0;

  constructor(
    readonly user: string,
    readonly client: TestClient,
  ) {
    this.name = `${user}.${++guestCount}`;
    client.socket.on('message', (bytes: Buffer) => {
      this.frames.push(JSON.parse(String(bytes)) as ServerFrame);
    });
  }

  send(event: string, text: string): void {
    if (this.client.socket.readyState !== 1) return;
    this.client.send({ event, room, data: { text: `${this.name} ${text}` }, id: `s${this.frames.length}` });
  }

  /** Number of its last join before a number of the log; 0 without one. */
  joinedBefore(seq: number): number {
    const joins = this.frames.filter(isJoin).map(({ data }) => (data as { seq: number }).seq);
    return Math.max(0, ...joins.filter((at) => at < seq));
  }

  /** True while a join is not answered. */
  get isJoining(): boolean {
    const answered = this.frames.filter(({ id }) => String(id).startsWith('join')).length;
    return this.client.socket.readyState === 1 && answered < this.joins;
  }

  join(): void {
    if (this.isJoining || this.client.socket.readyState !== 1) return;
    this.client.send({ event: '$join', room, id: `join${++this.joins}`, data: {} });
  }

  /** True if it has joined and was not removed since. */
  get isIn(): boolean {
    return this.frames.reduce((isIn, frame) => after(frame, isIn), false);
  }

  /** The last number that it has seen, in an event or in the reply to a join. */
  get reached(): number {
    return this.frames.reduce((seq, frame) => {
      const here = isJoin(frame) ? (frame.data as { seq: number }).seq : frame.room === room ? frame.seq : 0;
      return Math.max(seq, here ?? 0);
    }, 0);
  }

  /** The frames of the room that came while it was not in the room. */
  get strays(): ServerFrame[] {
    let isIn = false;
    return this.frames.filter((frame) => {
      const isStray = frame.room === room && frame.event !== '$removed' && !isIn;
      isIn = after(frame, isIn);
      return isStray;
    });
  }

  /** Numbers that it got although a removal lies between them and its join. */
  afterEnds(ends: readonly { readonly user: string; readonly seq: number }[]): number[] {
    const own = ends.filter(({ user }) => user === this.user || user === '*');
    let joinedAt = 0;
    return this.frames.flatMap((frame) => {
      if (isJoin(frame)) joinedAt = (frame.data as { seq: number }).seq;
      if (frame.room !== room || frame.seq === undefined) return [];
      const at = frame.event === '$removed' ? frame.seq : frame.seq + 1;
      return own.some(({ seq }) => joinedAt < seq && seq < at) ? [frame.seq] : [];
    });
  }

  /** Numbers that were missing, repeated or out of order while it was in the room. */
  get breaks(): string[] {
    let last: number | undefined;
    return this.frames.flatMap((frame) => {
      if (isJoin(frame)) last = (frame.data as { seq: number }).seq;
      if (frame.room !== room || frame.seq === undefined) return [];
      // A removed member may miss what came before.
      const isNext = frame.event === '$removed' || frame.seq === last! + 1;
      const found = isNext ? [] : [`${this.user} got ${frame.seq} after ${last}`];
      last = frame.seq;
      return found;
    });
  }
}

function isJoin({ id, data }: ServerFrame): boolean {
  return String(id).startsWith('join') && data !== undefined;
}

function after(frame: ServerFrame, isIn: boolean): boolean {
  if (isJoin(frame)) return true;
  return frame.event === '$removed' ? false : isIn;
}

describe('R38, R39: removals at random, with a node that is cut off now and then', () => {
  let cluster: NearAndFar | undefined;
  afterEach(async () => {
    banned.clear();
    await cluster?.stop();
  });

  it('bring nothing of the room to the removed users, and everything to the others', async () => {
    await play(STEPS, (found) => expect(found.unlawful).toEqual([]));
  }, 120_000);

  it('show a node that ignores the gate', async () => {
    await play(2_000, (found) => expect(found.unlawful).not.toEqual([]), ignoreGates);
  }, 120_000);

  async function play(
    steps: number,
    judge: (found: { unlawful: string[] }) => void,
    plant?: (store: RoomStore) => void,
  ): Promise<void> {
    const seed = newSeed();
    const random = new Random(seed);
    const counts: Record<string, number> = {};
    const count = (what: string): void => void (counts[what] = (counts[what] ?? 0) + 1);
    cluster = await nearAndFar([ClubModule], 2);
    const { near, far, proxy } = cluster;
    const storeOf = ({ nodes }: FeatureCluster): RoomStore => nodes[0]!.app.get(RoomStore, { strict: false });
    const rooms = (): Rooms => near.nodes[random.below(2)]!.app.get(Rooms, { strict: false });
    const ends: End[] = [];
    const end = async (user: string, reason: string): Promise<void> => {
      const target = rooms().to(room);
      const { seq } = await (user === '*' ? target.close({ reason }) : target.remove(user, { reason }));
      ends.push({ user, seq });
    };
    const guests: Guest[] = [];
    for (const user of USERS) {
      guests.push(new Guest(user, await near.connect(user)), new Guest(user, await far.connect(user)));
    }
    const witness = new Guest('witness', await near.connect('witness'));
    const distant = new Guest('distant', await far.connect('distant'));
    for (const guest of [...guests, witness, distant]) guest.join();
    await eventually(() => expect(guests.every(({ isIn }) => isIn)).toBe(true));

    if (plant) {
      // The gate alone then judges the commands that are on their way from there to Redis when somebody is removed.
      plant(storeOf(far));
      proxy.latencyMs = 10;
    }
    for (let i = 0; i < steps; i++) {
      if (plant && i % 20 === 19) {
        // The machine decides which commands meet a removal, so it goes on until some did.
        if ((await unlawful(storeOf(near), guests, ends)).length > 0) break;
        proxy.latencyMs = random.pick([5, 20, 50]);
      }
      // Otherwise most removals would concern nobody who is back.
      if (random.below(2) === 0) await distant.client.request('$ping');
      const guest = random.pick(guests);
      const dice = random.below(100);
      if (dice < 30) random.pick([guest, witness, distant]).send('club.say', `t${i}`);
      else if (dice < 50) random.pick([guest, witness, distant]).send('club.type', `v${i}`);
      else if (dice < 68 && !guest.isIn) guest.join();
      else if (dice < 83) {
        // The commit alone judges the commands on their way.
        const mates = guests.filter(({ user }) => user === guest.user);
        const areBack = (): void => {
          for (const mate of mates) if (!mate.isIn) mate.join();
          expect(mates.every(({ isIn }) => isIn)).toBe(true);
        };
        if (plant) await eventually(areBack);
        for (const mate of mates) mate.send('club.say', `before r${i}`);
        const removed = end(guest.user, `r${i}`);
        for (const mate of mates) mate.send('club.say', `beside r${i}`);
        setImmediate(() => mates.forEach((mate) => mate.send('club.say', `behind r${i}`)));
        if (random.below(2) === 0) await removed;
        count('removed');
      } else if (dice < 84) await end('*', 'over');
      else if (dice < 90 && !plant) {
        const mode = random.pick(['cut', 'mute', 'dropReplies', 'pass'] as const);
        count(mode);
        await proxy.setMode(mode);
      } else if (dice < 92 && !plant) proxy.latencyMs = random.pick([0, 0, 5, 50]);
      else await witness.client.request('$ping');
      if (!witness.isIn) witness.join();
      if (!distant.isIn && random.below(8) === 0) distant.join();
    }
    proxy.latencyMs = 0;
    await proxy.setMode('pass');
    // The last event comes to all who are in the room, behind everything else.
    // A closing may be answered before its member hears of it: only behind it the member is in for good.
    const closedAt = Math.max(0, ...ends.filter(({ user }) => user === '*').map(({ seq }) => seq));
    await eventually(() => {
      if (!witness.isIn) witness.join();
      expect({ seed, isIn: witness.isIn, isBehind: witness.reached >= closedAt }).toEqual({
        seed,
        isIn: true,
        isBehind: true,
      });
    });
    await eventually(() => expect(guests.some(({ isJoining }) => isJoining)).toBe(false));
    const last = await rooms().to(room).append('by node', 'club.said', { text: 'last' });
    const hasLast = (guest: Guest): boolean => guest.reached >= last.seq;
    await eventually(
      () => {
        for (const guest of [...guests, witness, distant]) {
          if (guest.client.socket.readyState !== 1 || !guest.isIn) continue;
          if (!hasLast(guest)) throw new Error(`${guest.user} has not seen the end`);
        }
      },
      { withinMs: 30_000 },
    );
    for (const guest of [...guests, witness, distant]) {
      expect({ seed, user: guest.user, strays: guest.strays }).toEqual({
        seed,
        user: guest.user,
        strays: [],
      });
      expect({ seed, breaks: guest.breaks }).toEqual({ seed, breaks: [] });
    }
    expect({ seed, hasLast: hasLast(witness) }).toEqual({ seed, hasLast: true });
    judge({ unlawful: await unlawful(storeOf(near), [...guests, witness, distant], ends) });
    if (plant) return;
    for (const user of USERS) await end(user, 'end');
    // A node closes clients that it can't serve meanwhile.
    const open = guests.filter(({ client }) => client.socket.readyState === 1);
    await eventually(() => expect(open.filter(({ isIn }) => isIn).map(({ user }) => user)).toEqual([]));
    for (const guest of [...guests, witness, distant]) {
      expect({ seed, user: guest.user, late: guest.afterEnds(ends) }).toEqual({
        seed,
        user: guest.user,
        late: [],
      });
    }
    const heard = guests.reduce(
      (sum, { frames }) => sum + frames.filter(({ event }) => event === '$removed').length,
      0,
    );
    writeSync(process.stderr.fd, `removals: ${JSON.stringify({ seed, heard, ...counts })}\n`);
  }
});
