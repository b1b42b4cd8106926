import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { eventually, newSeed, Random, RedisServer } from '@wss/testing';
import { Redis } from 'ioredis';
import { RedisRoomStore, ROOM_SCRIPTS } from '../../src/index.js';
import { entry, event } from './room-store.contract.js';

const history = { events: 1_000, ttlMs: 3_600_000 };
const PART = 65_536;
/** Size of the data of a big command, bytes. */
const BIG = 20_000;
/** Most commands that are read at a time, so that at most these are read in vain. */
const IN_VAIN = 32;

describe('what Redis reads for a part of a log', () => {
  let server: RedisServer;
  let links: RedisLinks;
  let store: RedisRoomStore;
  let monitor: Redis;
  let reads: string[][] = [];
  const keys = new RedisKeys('test');

  beforeAll(async () => {
    server = await RedisServer.start();
    const scripts = Object.values(ROOM_SCRIPTS);
    links = await RedisLinks.connect({ target: parseRedisTarget(server.url), scripts });
    store = new RedisRoomStore(links, keys);
    const redis = new Redis(server.url);
    monitor = await redis.monitor();
    redis.disconnect();
    monitor.on('monitor', (_time: string, args: string[], source: string) => {
      if (source === 'lua' || args[0]?.toLowerCase() === 'echo') reads.push(args);
    });
  });
  afterAll(async () => {
    monitor?.disconnect();
    await links?.close();
    await server?.stop();
  });

  /** Bytes of the log that were read meanwhile. */
  async function readBy(work: () => Promise<unknown>): Promise<number> {
    reads = [];
    await work();
    const mark = randomUUID();
    await server.cli('ECHO', mark);
    await eventually(() => {
      expect(reads.some(([, text]) => text === mark)).toBe(true);
      return Promise.resolve();
    });
    const ranges = reads.filter(([name]) => /^xr(ev)?range$/i.test(name!));
    const found = await Promise.all(ranges.map((range) => server.cli(...(range as [string]))));
    return found.reduce<number>((sum, reply) => sum + Buffer.byteLength(JSON.stringify(reply)), 0);
  }

  it('R29: is little more than the part, whatever small commands lie beside big ones', async () => {
    const seed = newSeed();
    const random = new Random(seed);
    const room = `board:${randomUUID()}`;
    const sizes: number[] = [];
    for (const small of [10, 40, 200]) {
      for (let i = 0; i < 150; i++) sizes.push(BIG);
      for (let i = 0; i < small; i++) sizes.push(random.below(20));
    }
    for (const [i, size] of sizes.entries()) {
      const entries = [entry(i + 1, { ack: i, events: [event('e', { fill: 'x'.repeat(size) })] })];
      await store.commit({ room, entries, documents: [], history, idleTtlMs: 0 });
    }
    const most = PART + (IN_VAIN + 2) * (BIG + 100);
    const [last, request] = [sizes.length, { room, idleTtlMs: 0 }];
    const ends = [last + 1, 161, 351, ...Array.from({ length: 10 }, () => 1 + random.below(last))];
    for (const before of ends) {
      const page = await readBy(() => store.history({ ...request, before, events: 500, bytes: PART }));
      const limits = { entries: 1_024, bytes: PART };
      const part = await readBy(() => store.resume({ ...request, after: before - 1, limits }));
      expect({ seed, before, page: Math.max(page, most), part: Math.max(part, most) }).toEqual({
        ...{ seed, before },
        page: most,
        part: most,
      });
    }
  });
});
