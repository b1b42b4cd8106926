import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import { RedisKeys } from '@wss/redis';
import { eventually, type GatewayNode, GatewayCluster } from '@wss/testing';
import { redisClusterOn } from '../engines.js';
import { TestNode } from '../test-node.js';

const entry = fileURLToPath(new URL('../child/node.mjs', import.meta.url));

describe('jobs of nodes that end', () => {
  let cluster: GatewayCluster;
  let sender: TestNode;

  beforeAll(async () => {
    cluster = await GatewayCluster.start({ nodes: 3, entry, readyWithinMs: 60_000 });
    sender = await TestNode.start(redisClusterOn(cluster.redis, new RedisKeys('test')), 's');
  });
  afterAll(async () => {
    await sender?.close();
    await cluster?.stop();
  });

  const linesOf = (node: GatewayNode, id: string): string[] =>
    node.output.filter((line) => line.includes(` ${id} `));
  const lines = (id: string): string[] => cluster.nodes.flatMap((node) => linesOf(node, id));

  /** The node that runs a job whose first run does not end. */
  async function holderOf(id: string): Promise<GatewayNode> {
    await eventually(() => expect(lines(id)).toEqual([`runs ${id} attempt 1`]));
    return cluster.nodes.find((node) => linesOf(node, id).length > 0)!;
  }

  it('are finished by a node that is asked to end', async () => {
    const { id } = await sender.cluster.one('reports').emit('test.work', 'long');
    const holder = await holderOf(id);
    expect(await holder.stop()).toBe(0);
    expect(linesOf(holder, id)).toEqual([`runs ${id} attempt 1`, `ends ${id} attempt 1`]);
    const { id: marker } = await sender.cluster.one('reports').emit('test.work', 'marker');
    await eventually(() => expect(lines(marker)).toHaveLength(2));
    expect(lines(id)).toHaveLength(2);
  });

  it('are run by another node when theirs is killed in the middle', async () => {
    const { id } = await sender.cluster.one('reports').emit('test.work', 'long');
    const holder = await holderOf(id);
    await holder.kill();
    await eventually(() => expect(lines(id)).toHaveLength(3), { withinMs: 20_000 });
    expect(linesOf(holder, id)).toHaveLength(1);
    expect(lines(id).slice().sort()).toEqual([
      `ends ${id} attempt 2`,
      `runs ${id} attempt 1`,
      `runs ${id} attempt 2`,
    ]);
    const { id: marker } = await sender.cluster.one('reports').emit('test.work', 'marker');
    await eventually(() => expect(lines(marker)).toHaveLength(2));
    expect(lines(id)).toHaveLength(3);
  });
});
