import { expect, it, jest } from '@jest/globals';
import { parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { newSeed, RedisServer, type ScriptChange } from '@wss/testing';
import { appendWork, Committer, RedisRoomStore, ROOM_SCRIPTS } from '../../src/index.js';
import { memoryClocked, redisClocked, redisClusterClocked } from '../store/clocked-stores.js';
import { compareKeys, onceContract } from './once.contract.js';

const HOUR = 3_600_000;
onceContract('memory', memoryClocked);
onceContract('Redis', () => redisClocked());
onceContract('Redis Cluster', () => redisClusterClocked());

it('R30: keep a key for 24 hours by the clock of Redis, and the list of keys as long as the last', async () => {
  const server = await RedisServer.start();
  const scripts = Object.values(ROOM_SCRIPTS);
  const links = await RedisLinks.connect({ target: parseRedisTarget(server.url), scripts });
  const keys = new RedisKeys('test').room('tally:1');
  const types = { of: () => ({ type: 'tally', history: { events: 9, ttlMs: HOUR }, idleTtlMs: HOUR }) };
  const store = new RedisRoomStore(links, new RedisKeys('test'));
  const committer = new Committer(store, types, { nodeId: 'n' });
  const wallClock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() - 5 * HOUR);
  try {
    const ends: number[] = [];
    for (const once of ['a', 'b']) {
      const [before] = await links.commands.time();
      await committer.perform(appendWork({ room: 'tally:1', once }, { event: 'e', data: 1 }));
      const lane = keys.lane((await links.commands.zrange(keys.once, '-1', '-1'))[0]!);
      ends.push(await links.commands.pexpiretime(lane));
      const [after] = await links.commands.time();
      expect(ends.at(-1)!).toBeGreaterThanOrEqual(Number(before) * 1_000 + 24 * HOUR - 1_000);
      expect(ends.at(-1)!).toBeLessThanOrEqual((Number(after) + 1) * 1_000 + 24 * HOUR);
    }
    expect(await links.commands.pexpiretime(keys.once)).toBe(Math.max(...ends));
    // The stub of the room that ends idle lives as long as the keys that name it.
    expect(await links.commands.pexpiretime(keys.meta)).toBe(Math.max(...ends));
  } finally {
    wallClock.mockRestore();
    committer.close();
    await links.close();
    await server.stop();
  }
});

it.each<{ bug: string; change: ScriptChange }>([
  {
    bug: 'a key with another body gets the first answer',
    change: ["~= match(record_from, '|([^|]*)|') then", "== '' then"],
  },
  {
    bug: 'the record is not written with the effect',
    change: ["    call('HSET', key, 'h', head)\n  end\nend", '  end\nend'],
  },
])(
  'is found: $bug',
  async ({ change }) => {
    const engine = await redisClocked(change);
    try {
      const seed = newSeed();
      const search = async (): Promise<void> => {
        for (let i = 0; i < 50; i++) await compareKeys(engine, seed + i);
      };
      await expect(search()).rejects.toThrow('CHAOS_SEED=');
    } finally {
      await engine.stop();
    }
  },
  120_000,
);
