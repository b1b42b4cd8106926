import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { changedScript, RedisServer } from '@wss/testing';
import {
  appendWork,
  Committer,
  DocumentRegistry,
  DocumentType,
  RedisRoomStore,
  ROOM_SCRIPTS,
  type RoomScripts,
  RoomStateRepository,
  type RoomStore,
  StoreError,
} from '../src/index.js';
import { Tally } from './commits/committer.contract.js';
import { STORE_LOGIN, STORE_USER } from './store/room-store-engines.js';

const types = {
  of: () => ({ type: 'tally', history: { events: 1_000, ttlMs: 86_400_000 }, idleTtlMs: 0 }),
};

/** The order of the script before: a publication that is refused leaves log, documents and records ahead of the meta. */
const PUBLISHES_BEFORE_META: RoomScripts = {
  ...ROOM_SCRIPTS,
  commit: changedScript(ROOM_SCRIPTS.commit, [
    ['if moves then\n  idle, stubs', "call(publish, channel .. ':t:x', '')\nif moves then\n  idle, stubs"],
  ]),
};

/** A script that judges no end of a node's lane, so that a record that is gone looks like one that never was. */
const WITHOUT_LANE_END: RoomScripts = {
  ...ROOM_SCRIPTS,
  commit: changedScript(ROOM_SCRIPTS.commit, [['if now >= (ends_at < 0 and -ends_at or ends_at) or', 'if']]),
};

/** The script on a Redis whose clock is an hour ahead. */
const HOUR = 3_600_000;
function hourAhead(commit: RoomScripts['commit']): RoomScripts['commit'] {
  return changedScript(commit, [['local now = time', `local now = ${HOUR} + time`]]);
}

/** A store to which all works of a node's lane look the same. */
function withoutMarks(store: RoomStore): RoomStore {
  const commit = store.commit.bind(store);
  store.commit = (request) =>
    commit({
      ...request,
      entries: request.entries.map((entry) => (entry.lane.ofNode ? { ...entry, fingerprint: '' } : entry)),
    });
  return store;
}

describe('planted bugs', () => {
  let server: RedisServer;
  let links: RedisLinks;
  let room: string;

  beforeAll(async () => {
    server = await RedisServer.start();
    await server.cli('ACL', 'SETUSER', ...STORE_USER);
    const target = { ...parseRedisTarget(server.url), ...STORE_LOGIN };
    links = await RedisLinks.connect({ target });
  });
  afterAll(async () => {
    await links?.close();
    await server?.stop();
  });
  beforeEach(() => {
    room = `tally:${randomUUID()}`;
  });

  interface Flaw {
    readonly scripts?: RoomScripts;
    readonly store?: (store: RoomStore) => RoomStore;
  }
  function open({ scripts, store = (it) => it }: Flaw): {
    committer: Committer;
    tallies: RoomStateRepository<Tally>;
    store: RoomStore;
  } {
    const used = store(new RedisRoomStore(links, new RedisKeys('test'), scripts));
    const committer = new Committer(used, types, { nodeId: 'same' });
    return {
      committer,
      tallies: new RoomStateRepository(new DocumentType(Tally), {
        store: used,
        committer,
        documents: new DocumentRegistry(),
      }),
      store: used,
    };
  }

  /** Ann's command meets a refusal, Bob's comes when that is over: returns both answers, and if the epoch went on. */
  async function refused(flaw: Flaw): Promise<unknown[]> {
    const { tallies, store } = open(flaw);
    const add = (by: number): Promise<number> =>
      tallies.update({ room }, (tally, draft) => {
        draft.append('tally.added', { by });
        return (tally.value += by);
      });
    await add(1);
    const before = await store.resume({ room, idleTtlMs: 0 });
    await server.cli('ACL', 'SETUSER', STORE_LOGIN.username, 'resetchannels');
    const ann = await add(100);
    await server.cli('ACL', 'SETUSER', STORE_LOGIN.username, 'allchannels');
    const bob = await add(7);
    const { position } = await store.resume({ room, idleTtlMs: 0 });
    return [ann, bob, position.seq, position.epoch === before.position.epoch];
  }

  /** Two works of two processes under one number of one lane: returns the sequence numbers of their answers. */
  async function sharedLane(flaw: Flaw): Promise<unknown[]> {
    const works = [open(flaw), open(flaw)].map(async ({ committer }) =>
      committer.perform(appendWork({ room }, { event: 'tally.noted', data: {} })),
    );
    return (await Promise.all(works)).map(({ position, duplicate }) => [position.seq, duplicate]);
  }

  /**
   * The first command of a lane is carried out and its answer lost; then Redis' clock is an hour ahead, as at a promotion,
   * and the record is over. Returns its answer, the answer of the next one, and how many events there are.
   */
  async function clockSet({ scripts = ROOM_SCRIPTS }: Flaw): Promise<unknown[]> {
    const used = { ...scripts };
    const { committer, store } = open({ scripts: used });
    const [commit, time] = [store.commit.bind(store), store.time.bind(store)];
    store.commit = async (request) => {
      const reply = await commit(request);
      if (request.judgeOnly || used.commit !== scripts.commit) return reply;
      await server.cli('DEL', new RedisKeys('test').room(room).lane(request.entries[0]!.lane.id));
      used.commit = hourAhead(scripts.commit);
      store.time = async (of) => (await time(of)) + HOUR;
      throw new StoreError('unknown', 'Command timed out');
    };
    const append = () =>
      committer
        .perform(appendWork({ room }, { event: 'tally.noted', data: {} }))
        .then(({ position }) => position.seq)
        .catch(({ code }: { code?: string }) => code);
    return [await append(), await append(), (await store.resume({ room, idleTtlMs: 0 })).position.seq];
  }

  it.each([
    {
      bug: 'publication before meta',
      scene: refused,
      flaw: { scripts: PUBLISHES_BEFORE_META },
      right: [101, 108, 3, true],
    },
    {
      bug: 'a node lane without fingerprints',
      scene: sharedLane,
      flaw: { store: withoutMarks },
      right: [
        [1, false],
        [2, false],
      ],
    },
    {
      bug: 'a node lane without an end',
      scene: clockSet,
      flaw: { scripts: WITHOUT_LANE_END },
      right: ['unknown_outcome', 2, 2],
    },
  ])('R30, R35: are found: $bug', async ({ scene, flaw, right }) => {
    expect(await scene({})).toEqual(right);
    room = `tally:${randomUUID()}`;
    expect(await scene(flaw)).not.toEqual(right);
  });
});
