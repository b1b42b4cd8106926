import { afterEach, describe, expect, it } from '@jest/globals';
import { Rooms } from '@wss/cluster';
import type { CommitRequest } from '@wss/state';
import { RoomStore } from '@wss/state';
import { eventually, type FeatureCluster, newSeed, Random, type TcpProxy } from '@wss/testing';
import { writeSync } from 'node:fs';
import { ENGINES, startOn } from './fixtures/any-engine.js';
import { ignoreGates } from './fixtures/ignored-gates.js';
import { nearAndFar } from './fixtures/near-and-far.js';
import { WallGuest } from './fixtures/wall-guest.js';
import { WallModule } from './fixtures/wall.js';

const room = 'wall:1';
const STEPS = process.env.CHAOS === 'long' ? 800 : 150;
const USERS = ['ann', 'bob', 'cid', 'dan'];

/** Where the guests are: nodes that reach the engine, and on Redis one whose way to it is disturbed. */
interface Scene {
  readonly nodes: FeatureCluster['nodes'];
  readonly proxy?: TcpProxy;
  connect(user: string, node: number): ReturnType<FeatureCluster['connect']>;
  stop(): Promise<void>;
}

async function open(engine: (typeof ENGINES)[number]): Promise<Scene> {
  const logger = ['error', 'fatal'] as const;
  if (engine !== 'redis') {
    const cluster = await startOn(engine, { features: [WallModule], nodes: 3, logger: [...logger] });
    const connect = (user: string, node: number) => cluster.connect(user, { node, session: true });
    return { nodes: cluster.nodes, connect, stop: () => cluster.stop() };
  }
  const { near, far, proxy, stop } = await nearAndFar([WallModule], 2);
  const nodes = [...near.nodes, ...far.nodes];
  const connect = (user: string, node: number) =>
    node < 2 ? near.connect(user, { node, session: true }) : far.connect(user, { node: 0, session: true });
  return { nodes, proxy, connect, stop };
}

/** Changes each commit that a node sends. */
function changeCommits(store: RoomStore, change: (request: CommitRequest) => CommitRequest): void {
  const commit = store.commit.bind(store);
  store.commit = (request) => commit(change(request));
}

/** Closes rooms in place of deleting them. */
function closeOnly(store: RoomStore): void {
  changeCommits(store, (request) => ({
    ...request,
    entries: request.entries.map((entry) => {
      const { ending } = entry;
      return ending?.deleted ? { ...entry, ending: { reason: ending.reason } } : entry;
    }),
  }));
}

/** Says of all work that it may open a room's next life. */
function openAlways(store: RoomStore): void {
  changeCommits(store, (request) => ({ ...request, opens: true }));
}

interface Findings {
  /** The room's documents, or what was seen, are not what is left of the commands. */
  readonly wrong: string[];
  /** Work that took effect although a deletion lay before it. */
  readonly unlawful: string[];
}

describe.each(ENGINES)('R36, R38: deletions at random on %s', (engine) => {
  let scene: Scene | undefined;
  afterEach(() => scene?.stop());

  it('take all that was before, leave all that comes behind, and are told to every member', async () => {
    expect(await play(STEPS)).toEqual({ wrong: [], unlawful: [] });
  }, 180_000);

  it.each([
    ['rooms that are closed only', closeOnly, 'wrong'],
    ['late work of nodes that brings rooms back', openAlways, 'unlawful'],
    // On memory a deletion reaches all nodes before their next commit.
    ...(engine === 'memory' ? [] : ([['nodes that ignore the gate', ignoreGates, 'unlawful']] as const)),
  ] as const)(
    'show %s',
    async (_bug, plant, where) => {
      expect((await play(3_000, plant, where))[where]).not.toEqual([]);
    },
    180_000,
  );

  async function play(
    steps: number,
    plant?: (store: RoomStore) => void,
    until?: keyof Findings,
  ): Promise<Findings> {
    const seed = newSeed();
    const random = new Random(seed);
    scene = await open(engine);
    const { nodes, proxy, connect } = scene;
    if (plant) for (const { app } of nodes) plant(app.get(RoomStore, { strict: false }));
    // The node that is cut off deletes nothing, since it could not tell when.
    const rooms = (): Rooms => nodes[random.below(2)]!.app.get(Rooms, { strict: false });
    const deletions: number[] = [];
    const jobs: Promise<void>[] = [];
    const late: string[] = [];
    const guests: WallGuest[] = [];
    for (const user of USERS) {
      for (const node of [0, 1, 2]) guests.push(new WallGuest(user, await connect(user, node), room));
    }
    for (const guest of guests) guest.join();
    /** A job that was asked for behind a deletion, and before anything else, must not bring the room back. */
    const deleteAndWork = async (): Promise<void> => {
      const { seq } = await rooms().delete(room);
      deletions.push(seq);
      if (random.below(3) > 0) return;
      const made = await rooms()
        .to(room)
        .append('by node', 'wall.said', { text: 'job' })
        .catch(() => undefined);
      const isFirst =
        made && !guests.some(({ done }) => done.some(({ seq: at }) => at > seq && at < made.seq));
      if (isFirst) late.push(`job at ${made.seq} behind the deletion at ${seq}`);
    };
    for (let i = 0; i < steps; i++) {
      const guest = random.pick(guests);
      const dice = random.below(100);
      if (dice < 50)
        for (let more = random.below(3); more >= 0; more--) random.pick(guests).put(`${i}.${more}`);
      else if (dice < 75) random.pick(guests).join();
      else if (dice < 85)
        guest.move(random.pick(nodes).url, random.below(2) === 0 ? `moved ${i}` : undefined);
      else if (dice < 92) {
        const deleting = deleteAndWork();
        jobs.push(deleting);
        if (random.below(2) === 0) await deleting;
      } else if (dice < 96 && !plant)
        await proxy?.setMode(random.pick(['cut', 'mute', 'dropReplies', 'pass'] as const));
      else if (proxy) proxy.latencyMs = random.pick([0, 5, 50]);
      if (random.below(3) === 0) await guests[0]!.client.request('$ping').catch(() => undefined);
      if (!until || i % 50 < 49) continue;
      await proxy?.setMode('pass');
      await Promise.all([...jobs, ...guests.map((each) => each.settled())]);
      if ((await judge())[until].length > 0) break;
    }
    await proxy?.setMode('pass');
    if (proxy) proxy.latencyMs = 0;
    await Promise.all([...jobs, ...guests.map((each) => each.settled())]);
    const found = await judge();
    const counts = {
      deletions: deletions.length,
      done: guests.reduce((sum, { done }) => sum + done.length, 0),
      refused: guests.reduce((sum, { refused }) => sum + refused.length, 0),
    };
    writeSync(process.stderr.fd, `deletions on ${engine}: ${JSON.stringify({ seed, ...counts })}\n`);
    return found;

    async function judge(): Promise<Findings> {
      const last = Math.max(0, ...deletions);
      const done = guests.flatMap((guest) => guest.done.map((each) => ({ ...each, guest })));
      const left = done.filter(({ seq }) => seq > last).sort((a, b) => a.seq - b.seq);
      const store = nodes[0]!.app.get(RoomStore, { strict: false });
      const limits = { entries: 10_000, bytes: 100_000_000 };
      const { documents, entries } = await store.resume({
        ...{ room, after: 0, limits, documents: true, idleTtlMs: 0 },
      });
      const { notes } = JSON.parse(documents.get('wall')?.json ?? '{"notes":[]}') as { notes: string[] };
      const texts = left.map(({ text }) => text);
      // A command whose answer never came may have taken effect, too.
      const answered = new Set(
        guests.flatMap((guest) => [...guest.refused, ...guest.done.map(({ text }) => text)]),
      );
      const known = notes.filter((text) => answered.has(text));
      const wrong = known.join() === texts.join() ? [] : [`notes ${known.join()}, not ${texts.join()}`];
      const early = entries.filter(({ first }) => first <= last).map(({ first }) => `event ${first} is left`);
      const breaks = guests.flatMap((guest) => [
        ...guest.breaks(deletions),
        ...guest.strays.map((frame) => `${guest.user} got ${JSON.stringify(frame)} as no member`),
        ...guest.losses.map((frame) => `${guest.user} got ${JSON.stringify(frame)}`),
      ]);
      const unlawful = done.flatMap(({ text, seq, guest }) => {
        const joinedAt = guest.joinedBefore(seq);
        const between = deletions.filter((at) => joinedAt < at && at < seq);
        return between.map((at) => `${text} at ${seq}, deleted at ${at}`);
      });
      const repeated = done.length === new Set(done.map(({ seq }) => seq)).size ? [] : ['a number twice'];
      return { wrong: [...wrong, ...early, ...breaks, ...repeated], unlawful: [...unlawful, ...late] };
    }
  }

  it('leave members of no room that is deleted at the end', async () => {
    scene = await open(engine);
    const { nodes, connect } = scene;
    const guests = await Promise.all(
      USERS.map(async (user, i) => new WallGuest(user, await connect(user, i % 3), room)),
    );
    for (const guest of guests) guest.join();
    await eventually(() => expect(guests.every(({ isIn }) => isIn)).toBe(true));
    await nodes[0]!.app.get(Rooms, { strict: false }).delete(room);
    await eventually(() => expect(guests.some(({ isIn }) => isIn)).toBe(false));
  });
});
