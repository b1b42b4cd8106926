import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { eventually, RedisClusterServers, RedisServer } from '@wss/testing';
import { ClusterLinks, parseRedisTarget, RedisLinks, SCRIPT_CALLS, ServerWatch } from '../src/index.js';

const EVERY_MS = 50;

const textsOf = (lib: string): string[] => {
  const folder = new URL(`../../${lib}/src/`, import.meta.url);
  const scripts = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.lua'),
  );
  return scripts.map((name) => readFileSync(new URL(name, folder), 'utf8'));
};

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

  it.each(['xadd', 'hset', 'hincrby', 'pexpireat', 'xgroup|create'])(
    'the right to %s that is taken is a problem until it is given back',
    async (name) => {
      await open();
      await server.cli('ACL', 'SETUSER', 'default', `-${name}`);
      await eventually(() => expect(watch.problem()).toContain(`+${name} on ~wss:*`));
      await server.cli('ACL', 'SETUSER', 'default', `+${name}`);
      await eventually(() => expect(watch.problem()).toBeUndefined());
    },
  );

  it('keys that are taken are a problem, those of others are none', async () => {
    await open();
    await server.cli('ACL', 'SETUSER', 'default', 'resetkeys', '~wss:*');
    await watch.look();
    expect(watch.problem()).toBeUndefined();
    await server.cli('ACL', 'SETUSER', 'default', 'resetkeys', '~other:*');
    await eventually(() => expect(watch.problem()).toContain('~wss:*'));
  });

  it('a script that was denied something is a problem at once, until a look finds every right', async () => {
    await open([], 3_600_000);
    watch.denied('ERR of a script');
    expect(watch.problem()).toContain('ERR of a script');
    await watch.look();
    expect(watch.problem()).toBeUndefined();
    await server.cli('ACL', 'SETUSER', 'default', '-xadd');
    watch.denied('ERR of a script');
    await watch.look();
    expect(watch.problem()).toContain('+xadd');
    await server.cli('ACL', 'SETUSER', 'default', '+xadd');
    await eventually(() => expect(watch.problem()).toBeUndefined());
  });

  it('a server that has no time for writes lacks no right', async () => {
    await open([], 3_600_000);
    await server.cli('CLIENT', 'PAUSE', '60000', 'WRITE');
    await watch.look().catch(() => undefined);
    expect(watch.problem()).toBeUndefined();
    await server.cli('CLIENT', 'UNPAUSE');
    await server.cli('CLIENT', 'PAUSE', '60000', 'ALL');
    const looked = watch.look().then(
      () => 'answered',
      () => 'failed',
    );
    expect(await looked).toBe('failed');
    expect(watch.problem()).toBeUndefined();
  });

  it('a link that is made anew is looked at at once', async () => {
    await open([], 3_600_000);
    await server.cli('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    await server.cli('CLIENT', 'KILL', 'TYPE', 'normal');
    await eventually(() => expect(watch.problem()).toContain('allkeys-lru'));
  });
});

it('R32: every call of every script is one that the check asks for the right to', () => {
  const called = ['state', 'cluster']
    .flatMap(textsOf)
    .flatMap((script) => [...script.matchAll(/(?<!p)call\('([A-Z]+)'(?:, '([A-Z]+)')?/g)]);
  const known = SCRIPT_CALLS.map((call) => call.split(' '));
  // INFO is asked for by itself.
  for (const [text, name, word] of called.filter(([, name]) => name !== 'INFO'))
    expect([
      text,
      known.some(([first, second]) => first === name && (!/^X(GROUP|INFO)$/.test(name!) || second === word)),
    ]).toEqual([text, true]);
  expect(called.length).toBeGreaterThan(100);
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
