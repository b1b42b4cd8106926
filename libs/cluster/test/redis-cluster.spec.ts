import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { parseRedisTarget, RedisLinks } from '@wss/redis';
import { eventually } from '@wss/testing';
import { RedisChannels } from '../src/index.js';
import { clusterContract } from './cluster.contract.js';
import { type ClusterUnderTest, type EngineUnderTest, redisEngine } from './engines.js';
import { TestNode } from './test-node.js';

clusterContract('Redis', redisEngine);

describe('cluster on a Redis that fails', () => {
  let engine: Awaited<ReturnType<typeof redisEngine>>;
  let cluster: ClusterUnderTest;
  let nodes: TestNode[];

  beforeAll(async () => void (engine = await redisEngine()));
  afterAll(() => (engine as EngineUnderTest).stop());
  beforeEach(async () => {
    cluster = engine.newCluster();
    nodes = await Promise.all(['a', 'b', 'c'].map((nodeId) => TestNode.start(cluster, nodeId)));
  });
  afterEach(async () => {
    for (const node of nodes) await node.close();
  });

  it('R20: brings what was emitted while a link was cut, in order, once', async () => {
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
    await b.links.setReachable(false);
    await a.cluster.emit('test.said', 'missed');
    await eventually(() => expect(c.recorder.from('a')).toEqual(['missed']));
    await b.links.setReachable(true);
    await a.cluster.emit('test.said', 'heard');
    await eventually(() => expect(b.recorder.from('a')).toEqual(['missed', 'heard']));
    await eventually(() => b.cluster.emit('test.said', 'here again'));
    await eventually(() => expect(a.recorder.from('b')).toContain('here again'));
    for (const node of nodes) expect(node.recorder.resyncs).toBe(0);
    const answers = await eventually(async () => {
      const found = await a.ask('test.ask', 1);
      expect(found.filter((answer) => 'data' in answer)).toHaveLength(3);
      return found;
    });
    expect(answers).toHaveLength(3);
  });

  it('survives a restart of Redis', async () => {
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
    await engine.server.restart();
    await eventually(async () => expect(await a.ask('test.ask', 1)).toHaveLength(3));
    // The log was lost: a node that comes back to it after its first event gets $resync, and hears the next event.
    await eventually(async () => {
      await a.cluster.emit('test.said', 'back');
      for (const node of [b, c]) expect(node.recorder.from('a')).toContain('back');
    });
  });

  it('refuses to listen when Redis refuses a channel, and has no lease then', async () => {
    const [a] = nodes as [TestNode];
    const user = [
      'on',
      '>pw',
      '~*',
      '+@all',
      'resetchannels',
      `&${a.links.keys.cluster}`,
      `&${a.links.keys.room('$cluster').channel}`,
    ];
    await engine.server.cli('ACL', 'SETUSER', 'narrow', ...user);
    const target = parseRedisTarget(engine.server.url.replace('redis://', 'redis://narrow:pw@'));
    const links = await RedisLinks.connect({ target });
    const narrow: ClusterUnderTest = {
      ...cluster,
      openNode: async (options) => {
        const opened = await cluster.openNode(options);
        return { ...opened, channels: new RedisChannels(links) };
      },
    };
    const node = await TestNode.start(narrow, 'd', { listens: false });
    try {
      await expect(node.listen()).rejects.toThrow(
        /^subscribing to .*:cluster and .*:n:d failed: NOPERM.*; Redis must be up, and its user must be allowed these channels$/,
      );
      expect(node.registry.holdsLease).toBe(false);
      expect(await a.cluster.nodes()).toHaveLength(3);
      await engine.server.cli('ACL', 'SETUSER', 'narrow', `&${a.links.keys.node('d')}`);
      await node.listen();
      expect(await a.cluster.nodes()).toHaveLength(4);
    } finally {
      await node.close();
      await links.close();
    }
  });
});

describe('calls of a process that is busy until after their deadline', () => {
  let engine: Awaited<ReturnType<typeof redisEngine>>;
  let [a, b]: TestNode[] = [];

  beforeAll(async () => void (engine = await redisEngine()));
  afterAll(() => (engine as EngineUnderTest).stop());
  beforeEach(async () => {
    const cluster = engine.newCluster();
    [a, b] = await Promise.all(['a', 'b'].map((nodeId) => TestNode.start(cluster, nodeId)));
  });
  afterEach(async () => {
    for (const node of [a, b]) await node?.close();
  });

  const TIMEOUT_MS = 500;
  const answers = [
    { nodeId: 'a', data: 1 },
    { nodeId: 'b', data: 1 },
  ];

  it.each([
    ['once', [700]],
    ['again and again', [250, 250, 250]],
  ])('take the answers that lie in the socket: %s', async (_what, busyMs) => {
    const isPublished = answerHeldInRedis(busyMs.reduce((sum, ms) => sum + ms) - 100);
    const asked = a!.ask('test.ask', 1, { timeoutMs: TIMEOUT_MS });
    await isPublished;
    await busy(busyMs);
    expect(await asked).toEqual(answers);
  });

  it('ask the nodes all the same: the list of them lies in the socket', async () => {
    const asked = a!.ask('test.ask', 1, { timeoutMs: TIMEOUT_MS });
    await busy([700]);
    expect(await asked).toEqual(answers);
  });

  /** Resolves when node b has sent its answer, which Redis keeps for so long. */
  async function answerHeldInRedis(ms: number): Promise<void> {
    const paused = new Promise<void>((resolve, reject) => {
      b!.recorder.answer = async (data) => {
        await engine.server.cli('CLIENT', 'PAUSE', String(ms), 'WRITE').then(() => resolve(), reject);
        return data;
      };
    });
    await paused;
    await eventually(async () =>
      expect(await engine.server.cli('CLIENT', 'LIST')).toMatch(/flags=\S*b\S* .*cmd=s?publish/),
    );
  }
});

/** Keeps the process from reading its sockets, but for a moment between two such times. */
async function busy(times: readonly number[]): Promise<void> {
  for (const [turn, ms] of times.entries()) {
    if (turn > 0) await new Promise((resolve) => setImmediate(resolve));
    const until = performance.now() + ms;
    while (performance.now() < until);
  }
}
