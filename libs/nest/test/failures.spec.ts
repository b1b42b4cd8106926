import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Readiness, useWss, WssModule } from '@wss/nest';
import {
  eventually,
  freePort,
  GatewayNode,
  RedisClusterServers,
  RedisServer,
  SentinelServers,
  TestClient,
} from '@wss/testing';
import { createApp, PLATFORMS, socketUrl } from './test-app.js';

const entry = fileURLToPath(new URL('./child/node.mjs', import.meta.url));

/** Runs the failing application to its end, and returns its words about the failure. */
async function failed(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const child = await GatewayNode.launch({ entry, env });
  expect(await child.exited).toEqual({ code: 0, signal: null });
  await child.output.ended;
  return child.output.lines.find((line) => line.startsWith('failed: '));
}

const WAYS = [
  ['constructor', 'failed: a constructor failed'],
  ['init', 'failed: onModuleInit failed with 0 nodes'],
  ['bootstrap', 'failed: onApplicationBootstrap failed'],
  ['port', expect.stringContaining('failed: listen EADDRINUSE')],
] as const;

describe('a start that fails keeps neither the process nor the lease', () => {
  let redis: RedisServer;
  beforeAll(async () => void (redis = await RedisServer.start()));
  afterAll(() => redis?.stop());

  describe.each(PLATFORMS)('on %s', (PLATFORM) => {
    it.each(WAYS)('%s', async (CASE, message) => {
      expect(await failed({ CASE, PLATFORM, REDIS_SERVER: redis.url })).toEqual(message);
      expect(await redis.cli('ZCARD', 'wss:nodes')).toBe(0);
    });
  });

  it('on the embedded engine', async () => {
    expect(await failed({ CASE: 'bootstrap', PLATFORM: 'express' })).toBe(
      'failed: onApplicationBootstrap failed',
    );
  });

  it.each([
    ['a Redis Cluster', () => RedisClusterServers.start()],
    ['sentinels', () => SentinelServers.start()],
  ] as const)('with %s', async (_, start) => {
    const servers = await start();
    const env = { CASE: 'init', PLATFORM: 'express', REDIS_SERVER: servers.url };
    expect(await failed(env)).toBe('failed: onModuleInit failed with 0 nodes');
    await servers.stop();
  });
});

it('a worker without an HTTP server stays until it is told to end, and drops its lease then', async () => {
  const redis = await RedisServer.start();
  const worker = await GatewayNode.launch({ entry, env: { CASE: 'worker', REDIS_SERVER: redis.url } });
  await worker.output.waitFor(/^waiting for work$/, 20_000);
  expect(await redis.cli('ZCARD', 'wss:nodes')).toBe(1);
  worker.signal('SIGTERM');
  // Nest ends the process by the signal that it got, once everything is closed.
  expect(await worker.exited).toEqual({ code: null, signal: 'SIGTERM' });
  expect(await redis.cli('ZCARD', 'wss:nodes')).toBe(0);
  await redis.stop();
});

describe.each(PLATFORMS)('an application on %s whose port is taken', (platform) => {
  it('leaves the cluster, and joins it when it listens on another one', async () => {
    const redis = await RedisServer.start();
    const taken = createServer();
    const port = await freePort();
    await new Promise<void>((resolve) => taken.listen(port, '127.0.0.1', resolve));
    const app = useWss(await createApp(platform, [WssModule.forRoot({ auth: 'none', redis: redis.url })]));
    const readiness = app.get(Readiness, { strict: false });
    await app.init();
    expect(readiness.problems()).toEqual([]);
    expect(await redis.cli('ZCARD', 'wss:nodes')).toBe(1);
    await expect(app.listen(port, '127.0.0.1')).rejects.toThrow('EADDRINUSE');
    await eventually(async () => expect(await redis.cli('ZCARD', 'wss:nodes')).toBe(0));
    expect(readiness.problems()).toEqual(['this node does not hold its lease']);
    await new Promise((resolve) => taken.close(resolve));
    await app.listen(port, '127.0.0.1');
    await eventually(() => expect(readiness.problems()).toEqual([]));
    expect(await redis.cli('ZCARD', 'wss:nodes')).toBe(1);
    await (await TestClient.connect(await socketUrl(app))).close();
    await app.close();
    expect(await redis.cli('ZCARD', 'wss:nodes')).toBe(0);
    expect(await redis.cli('CLIENT', 'LIST')).not.toContain('name=wss-');
    await redis.stop();
  });
});
