import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { RedisServer } from '@wss/testing';
import { type CommitEntry, type DocumentWrite, RedisRoomStore, ROOM_SCRIPTS } from '../src/index.js';
import { entry } from './room-store.contract.js';

const HOUR = 3_600_000;

describe('what Redis keeps of a room, and how long', () => {
  let server: RedisServer;
  let links: RedisLinks;
  let store: RedisRoomStore;
  let room: string;
  const keys = new RedisKeys('test');

  beforeAll(async () => {
    server = await RedisServer.start();
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
    const [end] = await ends('meta');
    const now = Date.now();
    const documents = [{ name: 'board', base: '', json: '1', entry: 0 }];
    const counters = [{ name: 'c', by: 1 }];
    await commit([entry(2, { counters })], { idleTtlMs: HOUR, documents });
    expect(end).toBeGreaterThanOrEqual(now + HOUR);
    expect(await ends('meta', 'documents', 'counters', 'log')).toEqual([end, end, end, end]);
  });

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
