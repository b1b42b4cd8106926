import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { eventually, newSeed, Random, RedisServer } from '@wss/testing';
import {
  type CommitReply,
  type CommitRequest,
  laneKeys,
  RedisRoomStore,
  ROOM_SCRIPTS,
} from '../../src/index.js';
import { type CommitEntry, type DocumentWrite } from '../../src/store/room-store.js';
import { UnknownFormat } from '../../src/store/store-errors.js';
import { OlderNode } from '../older-node.js';
import { entry } from './room-store.contract.js';

const HOUR = 3_600_000;
/** Rooms that both releases write, and commits in each: fewer than a history has. */
const ROOMS = process.env.CHAOS === 'long' ? 50 : 1;
const COMMITS = 200;

describe('R41: releases side by side', () => {
  let server: RedisServer;
  let links: RedisLinks;
  let newer: RedisRoomStore;
  let older: OlderNode;
  let room: string;
  const keys = new RedisKeys('test');

  beforeAll(async () => {
    server = await RedisServer.start({ args: ['--enable-debug-command', 'local'] });
    const scripts = Object.values(ROOM_SCRIPTS);
    links = await RedisLinks.connect({ target: parseRedisTarget(server.url), scripts });
    // While an older node lives, see RoomFormats.
    newer = new RedisRoomStore(links, keys, ROOM_SCRIPTS, { leavesStubs: () => false });
    older = new OlderNode(links, keys);
  });
  afterAll(async () => {
    await links?.close();
    await server?.stop();
  });
  beforeEach(() => {
    room = `board:${randomUUID()}`;
  });

  function requestOf(
    entries: CommitEntry[],
    documents: DocumentWrite[] = [],
    idleTtlMs = HOUR,
    ttlMs = HOUR,
  ): CommitRequest {
    return { room, entries, documents, history: { events: 1_000, ttlMs }, idleTtlMs };
  }
  const endOf = async (name: Parameters<typeof keyOf>[0]): Promise<number> =>
    Number(await server.cli('PEXPIRETIME', keyOf(name)));
  const counters = (by: number) => [{ name: 'seats', by }];
  const keyOf = (name: 'meta' | 'documents' | 'log' | 'counters'): string => keys.room(room)[name];

  describe('what the one before wrote', () => {
    it('is read, and goes on without a gap: positions, documents, counters and commands', async () => {
      const documents = [{ name: 'board', base: '', json: '{"x":1}', entry: 0 }];
      const first = await older.commit(requestOf([entry(1, { counters: counters(500) })], documents));
      await older.commit(requestOf([entry(2)]));
      const reply = await newer.resume({
        room,
        idleTtlMs: 0,
        from: first.position,
        documents: true,
        lane: 's1',
      });
      expect(reply).toMatchObject({ position: { ...first.position, seq: 2 }, n: 2, entries: [{ first: 2 }] });
      expect([reply.reason, reply.lostParts]).toEqual([undefined, undefined]);
      expect(reply.documents.get('board')?.json).toBe('{"x":1}');
      const base = `${first.position.epoch}:1`;
      const changed = [{ name: 'board', base, json: '{"x":2}', entry: 0 }];
      const next = await newer.commit(requestOf([entry(3, { counters: counters(1) })], changed));
      expect(next).toMatchObject({ status: 'committed', counters: [501], seqs: [3] });
      const again = await newer.commit(requestOf([entry(1)]));
      expect(again).toMatchObject({ verdicts: [{ kind: 'duplicate' }] });
    });

    it('goes on after a failover, and loses nothing when its nodes are gone', async () => {
      const documents = [{ name: 'board', base: '', json: '1', entry: 0 }];
      const { position } = await older.commit(requestOf([entry(1)], documents));
      await server.cli('DEBUG', 'CHANGE-REPL-ID');
      const alone = new RedisRoomStore(links, keys);
      expect((await alone.resume({ room, idleTtlMs: 0, from: position })).reason).toBeUndefined();
      await alone.commit(requestOf([entry(2)]));
      expect(Number(await server.cli('PTTL', keyOf('meta')))).toBeGreaterThan(24 * HOUR);
      await server.cli('DEL', keyOf('documents'));
      expect((await alone.resume({ room, idleTtlMs: 0 })).lostParts).toEqual(['documents']);
    });

    it('is known to have been there as soon as the newer one writes, also while both do', async () => {
      const documents = [{ name: 'board', base: '', json: '1', entry: 0 }];
      await older.commit(requestOf([entry(1, { counters: counters(500) })], documents));
      await newer.commit(requestOf([entry(1, { lane: 's2' })]));
      await server.cli('DEL', keyOf('counters'));
      const reply = await newer.commit(requestOf([entry(2, { lane: 's2', counters: counters(7) })]));
      expect(reply).toMatchObject({ lostParts: ['counters'], counters: [7], seqs: [3] });
    });

    it('may be kept by the older node beyond what the newer one knows', async () => {
      const documents = [{ name: 'board', base: '', json: '1', entry: 0 }];
      const { position } = await newer.commit(requestOf([entry(1)], documents, 20));
      await older.keep(room, HOUR);
      await eventually(async () => expect(await newer.tops([room])).toEqual([undefined]));
      const reply = await newer.resume({ room, idleTtlMs: 0, from: position, documents: true });
      expect([reply.position.epoch, reply.documents.size]).toEqual([position.epoch, 1]);
    });
  });

  describe('what the newer one does not know of ends', () => {
    const board = { name: 'board', base: '', json: '1', entry: 0 };

    it('R17, R30: a log that the older one keeps longer stays as long when the room is kept', async () => {
      await newer.commit(requestOf([entry(1)], [board], HOUR, HOUR / 60));
      await older.commit(requestOf([entry(2)], [], HOUR, HOUR / 2));
      const end = await endOf('log');
      await newer.keep(room, HOUR);
      expect(await endOf('log')).toBe(end);
    });

    it('R17: so it does after the older one has opened an epoch, which forgets what it did', async () => {
      await newer.commit(requestOf([entry(1)], [board], HOUR, HOUR / 60));
      await older.commit(requestOf([entry(2)], [], HOUR, HOUR / 2));
      const end = await endOf('log');
      await server.cli('DEBUG', 'CHANGE-REPL-ID');
      await older.resume(room);
      await newer.keep(room, HOUR);
      expect(await endOf('log')).toBe(end);
    });

    it.each([
      { kept: true, start: () => newer.resume({ room, idleTtlMs: HOUR }) },
      { kept: false, start: () => newer.resume({ room, idleTtlMs: HOUR }) },
      // The older one keeps the log for less time than the newer one did.
      { kept: false, start: () => newer.commit(requestOf([entry(1, { lane: 's2' })])) },
    ])(
      'R32: a log that had its time is not lost, whoever gave it its end ($kept)',
      async ({ kept, start }) => {
        await start();
        await older.commit(requestOf([entry(1)], [board], HOUR, 100));
        if (kept) await newer.keep(room, HOUR);
        // Notes what it finds.
        const counted = entry(2, { events: [], counters: counters(1) });
        await newer.commit(requestOf([counted], [], HOUR, 100));
        await eventually(async () => expect(await server.cli('EXISTS', keyOf('log'))).toBe(0));
        const reply = await newer.resume({ room, documents: true, idleTtlMs: HOUR });
        expect([reply.lostParts, reply.documents.size]).toEqual([undefined, 1]);
      },
    );

    it('a room that never ends loses the end it had while nothing was committed in it', async () => {
      const alone = new RedisRoomStore(links, keys);
      await alone.resume({ room, idleTtlMs: 0 });
      await older.commit(requestOf([entry(1)], [board], 0));
      expect(await endOf('meta')).toBeGreaterThan(0);
      await alone.commit(requestOf([entry(2)], [], 0));
      expect([await endOf('meta'), await endOf('documents')]).toEqual([-1, -1]);
    });

    it('R17: so it does when its members keep it, also across an epoch of the older one', async () => {
      for (const failover of [false, true]) {
        room = `board:${randomUUID()}`;
        await new RedisRoomStore(links, keys).resume({ room, idleTtlMs: 0 });
        await older.commit(requestOf([entry(1)], [board], 0));
        if (failover) {
          await server.cli('DEBUG', 'CHANGE-REPL-ID');
          await older.resume(room);
        }
        await newer.keep(room, 0);
        expect([await endOf('meta'), await endOf('documents')]).toEqual([-1, -1]);
      }
    });
  });

  it('what has ended is gone for both, as before', async () => {
    const { position } = await newer.commit(requestOf([entry(1)], [], 1));
    await eventually(async () => expect(await server.cli('EXISTS', keyOf('meta'))).toBe(0));
    const { mode, position: next } = await older.resume(room, position);
    expect([mode, next.seq]).toEqual(['unknown_epoch', 0]);
    expect((await newer.resume({ room, idleTtlMs: 0, from: position })).reason).toBe('unknown_epoch');
  });

  it('write one room together: no number is missing or twice, nothing is done twice, nothing is lost', async () => {
    const seed = newSeed();
    for (let i = 0; i < ROOMS; i++) {
      room = `board:${randomUUID()}`;
      await writeTogether(seed + i);
    }
  }, 600_000);

  async function writeTogether(seed: number): Promise<void> {
    const random = new Random(seed);
    const start = await newer.resume({ room, idleTtlMs: 0 });
    const done = new Map<string, number>();
    let [events, seats, base] = [0, 0, ''];
    for (let i = 0; i < COMMITS; i++) {
      const lane = random.pick(['s1', 's2', 's3']);
      const n = (done.get(lane) ?? 0) + 1;
      const by = random.below(3);
      const written = entry(n, { lane, ack: n - 1, ...(by > 0 && { counters: counters(by) }) });
      const documents = random.below(2) ? [{ name: 'board', base, json: `{"i":${i}}`, entry: 0 }] : [];
      const request = requestOf([written], documents, random.pick([0, HOUR]));
      const writers = [newer, older].sort(() => random.next() - 0.5);
      const reply: CommitReply = await writers[0]!.commit(request);
      expect({ seed, i, ...reply }).toMatchObject({ status: 'committed', seqs: [++events] });
      done.set(lane, n);
      seats += by;
      if (documents.length > 0) base = `${reply.position.epoch}:${reply.position.seq}`;
      const repeat = await writers[1]!.commit({ ...request, documents: [] });
      expect({ seed, i, ...repeat }).toMatchObject({ verdicts: [{ kind: 'duplicate' }] });
      if (random.below(20) === 0) await server.cli('DEBUG', 'CHANGE-REPL-ID');
      if (random.below(10) === 0) await random.pick([newer, older]).keep(room, HOUR);
    }
    const numbers = Array.from({ length: events }, (_, i) => i + 1);
    expect((await older.resume(room, start.position)).last).toEqual(numbers.slice(-1_000));
    const read = await newer.resume({
      room,
      idleTtlMs: 0,
      from: start.position,
      most: events,
      documents: true,
    });
    expect([read.reason, read.lostParts, read.entries[0]?.first]).toEqual([undefined, undefined, 1]);
    const last = await newer.commit(requestOf([entry(1, { lane: 's4', counters: counters(0) })]));
    expect(last).toMatchObject({ counters: [seats], seqs: [events + 1] });
  }

  describe('what a newer one keeps in another form is refused with that reason, and stays as it is', () => {
    const refusal = async (call: Promise<unknown>): Promise<string> => {
      const error = await call.then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(UnknownFormat);
      expect((error as UnknownFormat).outcome).toBe('unavailable');
      return (error as UnknownFormat).reason!;
    };
    const documents = [{ name: 'board', base: '', json: '1', entry: 0 }];
    const start = () => newer.commit(requestOf([entry(1), entry(2)], documents));

    it('a meta', async () => {
      await start();
      const history = `v2 ${String(await server.cli('HGET', keyOf('meta'), 'e'))}`;
      await server.cli('HSET', keyOf('meta'), 'e', history);
      expect(await refusal(newer.commit(requestOf([entry(3)])))).toBe(
        'a newer release keeps this room in another form',
      );
      await refusal(newer.resume({ room, idleTtlMs: 0 }));
      await newer.keep(room, HOUR).catch(() => undefined);
      expect(await server.cli('HGET', keyOf('meta'), 'e')).toBe(history);
    });

    it('an entry of the log: it is not "trimmed"', async () => {
      const { position } = await start();
      await server.cli('XADD', keyOf('log'), `${position.epoch.split('.')[0]}-3`, 'v2', 'x');
      await server.cli('HSET', keyOf('meta'), 's', '3');
      expect(await refusal(newer.resume({ room, idleTtlMs: 0, from: { ...position, seq: 1 } }))).toBe(
        'a newer release keeps the log of this room in another form',
      );
      expect(await refusal(newer.resume({ room, idleTtlMs: 0, newest: 2 }))).toContain('the log');
    });

    it('a document', async () => {
      await start();
      await server.cli('HSET', keyOf('documents'), 'board', 'v2 1.a:1|{}');
      expect(await refusal(newer.resume({ room, idleTtlMs: 0, documents: true }))).toContain(
        'documents of this room',
      );
      expect(await refusal(newer.commit(requestOf([entry(3)], documents)))).toContain('documents');
      expect(await server.cli('HGET', keyOf('documents'), 'board')).toBe('v2 1.a:1|{}');
    });

    it('the record of a lane, or one of its records', async () => {
      await start();
      const lane = keys.room(room).lane('s1');
      await server.cli('HSET', lane, '1', 'v2 x');
      expect(await refusal(newer.commit(requestOf([entry(1)])))).toContain('records of this room');
      await server.cli('HSET', lane, 'h', 'v2 3 0');
      expect(await refusal(newer.commit(requestOf([entry(4)])))).toContain('records of this room');
      expect(await refusal(newer.numbers(room, ['s1']))).toContain('records of this room');
      expect(await refusal(newer.resume({ room, idleTtlMs: 0, lane: 's1' }))).toContain(
        'records of this room',
      );
      expect(await server.cli('HGET', lane, 'h')).toBe('v2 3 0');
      await server.cli('HSET', lane, 'h', '3|0');
      expect(await refusal(newer.numbers(room, ['s1']))).toContain('records of this room');
    });

    it('the record of a lane, which is kept with its session all the same', async () => {
      await start();
      const lane = keys.room(room).lane('s1');
      await server.cli('HSET', lane, 'h', 'v2 3 0');
      const until = Date.now() + 50 * HOUR;
      const args = ['', until, '+'];
      expect(await ROOM_SCRIPTS.keepLane.run(links.commands, laneKeys(keys.room(room), 's1'), args)).toBe(1);
      expect(Number(await server.cli('PEXPIRETIME', lane))).toBe(until);
    });

    it('a meta, by a node that leaves the queue', async () => {
      await start();
      await server.cli('HSET', keyOf('meta'), 'e', 'v2 x', 's', '2 n1,n2');
      await newer.leaveQueue(room, 'n1');
      expect(await server.cli('HGET', keyOf('meta'), 's')).toBe('2 n1,n2');
    });
  });
});
