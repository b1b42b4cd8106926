import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, RedisClusterServers, RedisServer } from '@wss/testing';
import { ClusterLinks, parseRedisTarget, RedisLinks, ServerWatch } from '../src/index.js';

const EVERY_MS = 50;

describe('R32: what Redis is watched for while the node runs', () => {
  let server: RedisServer;
  let links: RedisLinks;
  let watch: ServerWatch;
  const open = async (args: string[] = [], everyMs = EVERY_MS): Promise<void> => {
    server = await RedisServer.start({ args });
    links = await RedisLinks.connect({ target: parseRedisTarget(server.url) });
    watch = new ServerWatch({ servers: () => [links.commands], everyMs });
    await watch.look();
    watch.start();
  };
  afterEach(async () => {
    watch.stop();
    await links.close();
    await server.stop();
  });

  it('a policy that is set is a problem until it is put right', async () => {
    await open();
    expect(watch.problem()).toBeUndefined();
    await server.cli('CONFIG', 'SET', 'maxmemory-policy', 'volatile-lru');
    await eventually(() => expect(watch.problem()).toContain('maxmemory-policy is volatile-lru'));
    await server.cli('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    await eventually(() => expect(watch.problem()).toBeUndefined());
  });

  it('keys that were evicted between two looks are a problem, though the policy is right again', async () => {
    await open([], 300);
    await server.cli('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-random', 'maxmemory', '3mb');
    for (let i = 0; i < 600; i++) await server.cli('SET', `key${i}`, 'x'.repeat(10_000));
    await server.cli('CONFIG', 'SET', 'maxmemory-policy', 'noeviction', 'maxmemory', '0');
    await eventually(() => expect(watch.problem()).toMatch(/it deleted \d+ keys to free memory/));
    await eventually(() => expect(watch.problem()).toBeUndefined());
  });

  it('keys that were evicted are a problem until the next period, whoever looks meanwhile', async () => {
    await open([], 3_600_000);
    await server.cli('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-random', 'maxmemory', '3mb');
    for (let i = 0; i < 600; i++) await server.cli('SET', `key${i}`, 'x'.repeat(10_000));
    await server.cli('CONFIG', 'SET', 'maxmemory-policy', 'noeviction', 'maxmemory', '0');
    for (let i = 0; i < 3; i++) {
      await watch.look();
      expect(watch.problem()).toMatch(/it deleted \d+ keys to free memory/);
    }
  });

  it('a link that is made anew is looked at at once', async () => {
    await open([], 3_600_000);
    await server.cli('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    await server.cli('CLIENT', 'KILL', 'TYPE', 'normal');
    await eventually(() => expect(watch.problem()).toContain('allkeys-lru'));
  });
});

describe('R32: on a Redis Cluster', () => {
  let servers: RedisClusterServers;
  let links: ClusterLinks;
  beforeAll(async () => {
    servers = await RedisClusterServers.start();
    links = await ClusterLinks.connect({ target: parseRedisTarget(servers.url) });
  });
  afterAll(async () => {
    await links?.close();
    await servers?.stop();
  });

  it('every master is watched', async () => {
    const watch = new ServerWatch({
      servers: () => links.shards.map(({ commands }) => commands),
      onChange: (callback) => links.onLook(callback),
      clustered: true,
      everyMs: EVERY_MS,
    });
    watch.start();
    for (const server of servers.servers) {
      await server.cli('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
      await eventually(() => expect(watch.problem()).toContain('allkeys-lru'));
      await server.cli('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
      await eventually(() => expect(watch.problem()).toBeUndefined());
    }
    watch.stop();
  });
});
