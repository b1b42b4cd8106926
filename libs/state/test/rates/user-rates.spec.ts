import { describe, expect, it } from '@jest/globals';
import { parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { RedisServer } from '@wss/testing';
import {
  EngineUserRates,
  MemoryEngine,
  MemoryPartStore,
  PART_SCRIPTS,
  RedisPartStore,
} from '../../src/index.js';
import { memoryLimits, redisClusterLimits, redisLimits } from './user-limit-engines.js';
import { userRatesContract } from './user-rates.contract.js';

userRatesContract('memory', memoryLimits);
userRatesContract('Redis', redisLimits);
userRatesContract('Redis Cluster', redisClusterLimits);

describe('R29: limits of users over all rooms', () => {
  const limit = { name: 'e', limit: 100, windowMs: 60_000 };

  it('are forgotten by the node when nothing of them is of use any more', async () => {
    let now = 0;
    const rates = new EngineUserRates(new MemoryPartStore(new MemoryEngine()), { now: () => now });
    for (let i = 0; i < 50; i++) await rates.take(limit, `u${i}`, Infinity);
    rates.sweep();
    expect(rates.size).toBe(50);
    now = 6_000;
    await rates.take(limit, 'u1', Infinity);
    rates.sweep();
    expect(rates.size).toBe(1);
    rates.forget();
  });

  it('are remembered for so many users at most', async () => {
    const rates = new EngineUserRates(new MemoryPartStore(new MemoryEngine()), { now: () => 0 });
    for (let i = 0; i < 100_100; i++) await rates.take(limit, `u${i}`, Infinity);
    expect(rates.size).toBe(100_000);
    rates.forget();
  });

  it('end in Redis by themselves', async () => {
    const server = await RedisServer.start();
    const scripts = Object.values(PART_SCRIPTS);
    const links = await RedisLinks.connect({ target: parseRedisTarget(server.url), scripts });
    try {
      const keys = new RedisKeys('test');
      await new RedisPartStore(links, keys).take({ ...limit, user: 'ä b', wanted: 5 });
      const left = await links.commands.pttl(keys.userLimit('ä b', 'e'));
      expect(left).toBeGreaterThan(60_000);
      expect(left).toBeLessThanOrEqual(66_000);
    } finally {
      await links.close();
      await server.stop();
    }
  });
});
