import { describe, expect, it } from '@jest/globals';
import { parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { RedisServer } from '@wss/testing';
import { JOB_SCRIPTS, RedisJobQueue } from '../../src/index.js';
import { redisEngine } from '../engines.js';
import { jobQueueContract } from './job-queue.contract.js';
import { jobsContract } from './jobs.contract.js';

jobQueueContract('Redis', redisEngine);
jobsContract('Redis', redisEngine);

describe('a job queue on Redis', () => {
  it('reads the event of a job that an older node added', async () => {
    const server = await RedisServer.start();
    const scripts = Object.values(JOB_SCRIPTS);
    const links = await RedisLinks.connect({ target: parseRedisTarget(server.url), scripts });
    const keys = new RedisKeys('test');
    const queue = new RedisJobQueue(links, keys);
    try {
      for (const text of ['{"pattern":"x"}', '{"pattern":"y"}', 'no packet', '[]']) {
        await links.commands.xadd(keys.jobs('g'), '*', 'p', text);
      }
      const take = async (nodeId: string, event: string): Promise<string[]> =>
        (await queue.take('g', { nodeId, count: 9, held: [], events: [event], version: 1 })).map(
          ({ text }) => text,
        );
      expect(await take('a', 'y')).toEqual(['{"pattern":"y"}', 'no packet', '[]']);
      expect(await take('b', 'x')).toEqual(['{"pattern":"x"}']);
    } finally {
      await links.close();
      await server.stop();
    }
  });
});
