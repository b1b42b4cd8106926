import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { eventually, RedisServer } from '@wss/testing';
import { laneKeys, RedisRoomStore, ROOM_SCRIPTS } from '../../src/index.js';
import { type CommitEntry, type DocumentWrite } from '../../src/store/room-store.js';
import { entry } from './room-store.contract.js';

const HOUR = 3_600_000;

describe('what Redis keeps of a room, and how long', () => {
  let server: RedisServer;
  let links: RedisLinks;
  let store: RedisRoomStore;
  let room: string;
  const keys = new RedisKeys('test');

  beforeAll(async () => {
    server = await RedisServer.start({ args: ['--enable-debug-command', 'local'] });
    const scripts = Object.values(ROOM_SCRIPTS);
    links = await RedisLinks.connect({ target: parseRedisTarget(server.url), scripts });
    store = new RedisRoomStore(links, keys);
  });
  afterAll(async () => {
    await links?.close();
    await server?.stop();
  });
  beforeEach(() => {
    room = `board:${randomUUID()}`;
  });

  async function commit(
    entries: CommitEntry[],
    { ttlMs = HOUR, idleTtlMs = 0, documents = [] as DocumentWrite[] } = {},
  ): Promise<void> {
    const history = { events: 1_000, ttlMs };
    const reply = await store.commit({ room, entries, documents, history, idleTtlMs });
    expect(reply.status).toBe('committed');
  }
  /** When keys go, ms since 1970; -1 never, -2 for one that is not there. */
  async function ends(...names: ('meta' | 'documents' | 'log' | 'counters')[]): Promise<number[]> {
    return Promise.all(
      names.map(async (name) => Number(await server.cli('PEXPIRETIME', keys.room(room)[name]))),
    );
  }

  it('R41: a room that was only read while older nodes may live gets its end when none does, a used one none', async () => {
    let shared = false;
    const both = new RedisRoomStore(links, keys, ROOM_SCRIPTS, { leavesStubs: () => shared });
    const used = `board:${randomUUID()}`;
    for (const each of [room, used]) await both.resume({ room: each, idleTtlMs: 0 });
    expect(await ends('meta')).toEqual([-1]);
    await both.commit({
      room: used,
      entries: [entry(1)],
      documents: [],
      history: { events: 1_000, ttlMs: HOUR },
      idleTtlMs: 0,
    });
    await both.endUnused();
    await both.keep(room, 0);
    expect(await ends('meta')).toEqual([-1]);
    for (const each of [room, used]) await both.resume({ room: each, idleTtlMs: 0 });
    shared = true;
    await both.endUnused();
    const [end] = await ends('meta');
    expect(end).toBeGreaterThan(Date.now());
    expect(end).toBeLessThan(Date.now() + 2 * HOUR);
    expect(await server.cli('PEXPIRETIME', keys.room(used).meta)).toBe(-1);
  });

  it('R16: one entry of the log for each command of a batch, with its own number, events and patch', async () => {
    const two = ['a', 'b'].map((name) => ({ event: `"${name}"`, data: '{"ä":1}' }));
    await commit([entry(1), entry(2, { events: two, patch: '{}' }), entry(3, { events: [] }), entry(4)]);
    const [first, second, third, ...rest] = (await server.cli('XRANGE', keys.room(room).log, '-', '+')) as [
      string,
      string[],
    ][];
    expect([first, second, third].map((entry) => entry![0].split('-')[1])).toEqual(['1', '3', '4']);
    expect(second![1]).toEqual(['d', '2+\n"a"\n{"ä":1}\n"b"\n{"ä":1}\n{}']);
    expect(rest).toEqual([]);
  });

  it('R17: the log at least for its time after every commit, and all else for good', async () => {
    const documents = [{ name: 'board', base: '', json: '1', entry: 0 }];
    await commit([entry(1, { counters: [{ name: 'c', by: 1 }] })], { documents });
    expect(await ends('meta', 'documents', 'counters')).toEqual([-1, -1, -1]);
    for (const n of [2, 3]) {
      const now = Date.now();
      await commit([entry(n)]);
      expect((await ends('log'))[0]).toBeGreaterThanOrEqual(now + HOUR);
    }
  });

  it('an idle room at least for its time, and everything in it that came later as long', async () => {
    await commit([entry(1)], { idleTtlMs: HOUR });
    const now = Date.now();
    const [end] = await ends('log');
    const documents = [{ name: 'board', base: '', json: '1', entry: 0 }];
    const counters = [{ name: 'c', by: 1 }];
    await commit([entry(2, { counters })], { idleTtlMs: HOUR, documents });
    expect(end).toBeGreaterThanOrEqual(now + HOUR);
    expect(await ends('documents', 'counters', 'log')).toEqual([end, end, end]);
  });

  it('R36: the meta of an idle room as long as records name its birth, and an hour more than their sessions', async () => {
    const endsAt = Date.now() + 5 * HOUR;
    await commit([entry(1, { endsAt })], { idleTtlMs: 1 });
    expect(await ends('meta')).toEqual([endsAt + HOUR]);
    await commit([entry(1, { lane: 's2', endsAt: endsAt + HOUR })], { idleTtlMs: HOUR });
    expect(await ends('meta')).toEqual([endsAt + 2 * HOUR]);
    await commit([entry(1, { lane: 's3', endsAt: endsAt + 2 * HOUR, events: [] })], { idleTtlMs: HOUR });
    expect(await ends('meta')).toEqual([endsAt + 3 * HOUR]);
    const lane = keys.room(room).lane('s1');
    const extend = (until: number) =>
      ROOM_SCRIPTS.keepLane.run(links.commands, laneKeys(keys.room(room), 's1'), ['', until, '+']);
    expect(await extend(endsAt + 9 * HOUR)).toBe(1);
    expect(Number(await server.cli('PEXPIRETIME', lane))).toBe(endsAt + 9 * HOUR);
    expect(await ends('meta')).toEqual([endsAt + 9 * HOUR]);
    await commit([entry(2, { endsAt })], { idleTtlMs: 2 });
    expect(await ends('meta')).toEqual([endsAt + 9 * HOUR]);
  });

  it('a room that nobody has a record in a quarter of an hour longer, for the lanes of nodes', async () => {
    const now = Date.now();
    await commit([entry(1, { lane: '@n.1', ofNode: true })], { idleTtlMs: 1 });
    const [end] = await ends('meta');
    expect(end).toBeGreaterThanOrEqual(now + HOUR / 4);
    expect(end).toBeLessThan(Date.now() + HOUR / 3);
  });

  it('nothing without an end where nothing was committed', async () => {
    for (const idleTtlMs of [0, HOUR / 2]) {
      room = `board:${randomUUID()}`;
      const now = Date.now();
      await store.resume({ room, idleTtlMs });
      const refused = { room, documents: [], history: { events: 9, ttlMs: HOUR }, idleTtlMs };
      await store.commit({ ...refused, entries: [entry(7)] });
      const [end] = await ends('meta');
      expect(end).toBeGreaterThanOrEqual(now + (idleTtlMs || HOUR) - 1);
      expect(end).toBeLessThan(Date.now() + (idleTtlMs || HOUR) + HOUR / 3);
      expect(await server.cli('KEYS', `*${room}*`)).toEqual([keys.room(room).meta]);
    }
  });

  it('R30: all keys of a room that is kept as long as that, by the clock of Redis, the log no longer than its time', async () => {
    const documents = [{ name: 'board', base: '', json: '1', entry: 0 }];
    await commit([entry(1, { counters: [{ name: 'c', by: 1 }] })], { documents, idleTtlMs: HOUR });
    const wallClock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() - HOUR);
    const [, end] = [await store.keep(room, 2 * HOUR), await ends('documents')];
    wallClock.mockRestore();
    expect(end[0]).toBeGreaterThan(Date.now() + 1.9 * HOUR);
    expect(await ends('counters')).toEqual(end);
    expect((await ends('log'))[0]).toBeLessThan(Date.now() + 1.5 * HOUR);
    expect((await ends('meta'))[0]).toBeGreaterThanOrEqual(end[0]!);
  });

  it('R17: the log as long as its room is kept, where it would have lived longer', async () => {
    await commit([entry(1)], { ttlMs: 5 * HOUR, idleTtlMs: HOUR });
    await store.keep(room, 2 * HOUR);
    expect((await ends('log'))[0]).toBeGreaterThan(Date.now() + 1.9 * HOUR);
  });

  it('R41: as the release before does, until every node knows stubs', async () => {
    let known = false;
    const both = new RedisRoomStore(links, keys, ROOM_SCRIPTS, { leavesStubs: () => known });
    const write = async (n: number): Promise<void> => {
      const history = { events: 9, ttlMs: HOUR };
      await both.commit({ room, entries: [entry(n)], documents: [], history, idleTtlMs: HOUR });
    };
    await write(1);
    expect(await ends('meta')).toEqual(await ends('log'));
    await write(2);
    expect(await ends('meta')).toEqual(await ends('log'));
    known = true;
    await write(3);
    expect((await ends('meta'))[0]).toBeGreaterThan(Date.now() + 20 * HOUR);
    known = false;
    await both.resume({ room: `${room}2`, idleTtlMs: 0 });
    expect(Number(await server.cli('PEXPIRETIME', keys.room(`${room}2`).meta))).toBe(-1);
  });

  it('R36: the meta for what is recorded as soon as nodes agree again that it may stay', async () => {
    const endsAt = Date.now() + 5 * HOUR;
    for (const until of [endsAt + HOUR, endsAt + 9 * HOUR]) {
      room = `board:${randomUUID()}`;
      const alone = new RedisRoomStore(links, keys, ROOM_SCRIPTS, { leavesStubs: () => false });
      const history = { events: 9, ttlMs: HOUR };
      const entries = [entry(1, { endsAt })];
      await alone.commit({ room, entries, documents: [], history, idleTtlMs: HOUR });
      const keep = (stubs: string) =>
        ROOM_SCRIPTS.keepLane.run(links.commands, laneKeys(keys.room(room), 's1'), ['', until, stubs]);
      const before = await ends('meta');
      await keep('');
      expect(await ends('meta')).toEqual(before);
      await keep('+');
      expect(await ends('meta')).toEqual([until]);
    }
  });

  it('R41: the meta of a room in which nothing was committed no longer for a lane while others do not know stubs', async () => {
    const both = new RedisRoomStore(links, keys, ROOM_SCRIPTS, { leavesStubs: () => false });
    await both.resume({ room, idleTtlMs: HOUR });
    const entries = [entry(1, { events: [] })];
    await both.commit({
      room,
      entries,
      documents: [],
      history: { events: 9, ttlMs: HOUR },
      idleTtlMs: HOUR,
    });
    const end = await ends('meta');
    const args = ['', Date.now() + 50 * HOUR, ''];
    await ROOM_SCRIPTS.keepLane.run(links.commands, laneKeys(keys.room(room), 's1'), args);
    expect(await ends('meta')).toEqual(end);
  });

  it('a log that is made anew as long as the one that was lost', async () => {
    const documents = [{ name: 'board', base: '', json: '1', entry: 0 }];
    for (const idleTtlMs of [0, HOUR / 2, 2 * HOUR]) {
      room = `board:${randomUUID()}`;
      await commit([entry(1)], { documents, idleTtlMs });
      const end = await ends('log');
      await server.cli('DEL', keys.room(room).log);
      await commit([entry(2)], { idleTtlMs });
      expect(await ends('log')).toEqual(end);
    }
  });

  it('R36: nothing of a room that has ended, also where a log without an end is left', async () => {
    const documents = [{ name: 'board', base: '', json: '1', entry: 0 }];
    await commit([entry(1)], { documents, idleTtlMs: 50 });
    await server.cli('PERSIST', keys.room(room).log);
    const from = { epoch: (await store.resume({ room, idleTtlMs: 50 })).position.epoch, seq: 1 };
    await eventually(async () => expect(await server.cli('EXISTS', keys.room(room).documents)).toBe(0));
    const reply = await store.resume({ room, from, idleTtlMs: HOUR });
    expect([reply.reason, reply.position.seq, reply.lostParts]).toEqual(['unknown_epoch', 1, undefined]);
    expect(await server.cli('EXISTS', keys.room(room).log)).toBe(0);
    await commit([entry(2)], { idleTtlMs: HOUR });
    expect((await store.resume({ room, newest: 9, idleTtlMs: HOUR })).entries).toHaveLength(1);
  });

  it('R17: a room for good that is kept so, also where it was to end idle when it was written', async () => {
    const documents = [{ name: 'board', base: '', json: '1', entry: 0 }];
    await commit([entry(1, { counters: [{ name: 'c', by: 1 }] })], { documents, idleTtlMs: 60 });
    const { position } = await store.resume({ room, idleTtlMs: 60 });
    await store.keep(room, 0);
    expect(await ends('meta', 'documents', 'counters')).toEqual([-1, -1, -1]);
    const later = Date.now() + 100;
    await eventually(() => {
      expect(Date.now()).toBeGreaterThan(later);
      return Promise.resolve();
    });
    expect(await store.tops([room])).toEqual([position]);
    await server.cli('DEL', keys.room(room).documents);
    expect((await store.resume({ room, idleTtlMs: 0 })).lostParts).toEqual(['documents']);
  });

  it.each([
    { ahead: 4_000, lostParts: undefined },
    { ahead: 60_000, lostParts: ['documents', 'log'] },
  ])(
    'R32: an end $ahead ms ahead that the server before let come is a loss, or is none',
    async ({ ahead, lostParts }) => {
      const documents = [{ name: 'board', base: '', json: '1', entry: 0 }];
      await commit([entry(1)], { documents, idleTtlMs: ahead });
      await server.cli('DEL', keys.room(room).documents, keys.room(room).log);
      await server.cli('DEBUG', 'CHANGE-REPL-ID');
      const reply = await store.resume({ room, idleTtlMs: HOUR });
      expect([reply.lostParts, reply.position.seq]).toEqual([lostParts, 1]);
    },
  );

  it('as long as is asked of it now, shorter or longer than before', async () => {
    for (const [n, ttlMs] of [HOUR, HOUR / 60, 2 * HOUR].entries()) {
      const now = Date.now();
      await commit([entry(n + 1)], { ttlMs });
      const [end] = await ends('log');
      expect(end).toBeGreaterThanOrEqual(now + ttlMs);
      expect(end).toBeLessThan(now + 1.5 * ttlMs);
    }
  });
});
