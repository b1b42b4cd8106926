import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { RoomType } from '@wss/nest';
import { eventually, FeatureCluster, type TestRoom } from '@wss/nest/testing';
import { PlaceCounts } from '@wss/cluster';
import { Engine } from '../src/engine/engine.js';

@Injectable()
@RoomType('hall', { maxMembers: 7 })
class Halls {}

@Module({ providers: [Halls] })
class HallModule {}

describe.each(['memory', 'redis'] as const)('places on three nodes over %s', (engine) => {
  let cluster: FeatureCluster;
  beforeAll(async () => {
    const limits = { connectionsPerUser: 4 };
    cluster = await FeatureCluster.start({ features: [HallModule], nodes: 3, engine, options: { limits } });
  });
  afterAll(() => cluster?.stop());

  const outcomes = async (attempts: Promise<unknown>[]): Promise<string[]> =>
    (await Promise.allSettled(attempts)).map((result) =>
      result.status === 'fulfilled'
        ? 'ok'
        : ((result.reason as { code?: string }).code ?? String(result.reason)),
    );
  const count = (all: readonly string[], wanted: RegExp): number =>
    all.filter((one) => wanted.test(one)).length;

  it('a room takes exactly as many members as its kind allows, and another one for each that leaves', async () => {
    const users = Array.from({ length: 15 }, (_, i) => i);
    const rooms: TestRoom[] = [];
    const join = async (i: number): Promise<void> => {
      rooms.push(await cluster.join(`m${i}`, 'hall:1', { node: i % 3 }));
    };
    const joins = await outcomes(users.map(join));
    expect(count(joins, /^ok$/)).toBe(7);
    expect(count(joins, /^limit$/)).toBe(8);
    await rooms[0]!.leave();
    await rooms[1]!.client.terminate();
    const again = await outcomes([20].map(join));
    await eventually(async () => {
      again.push(...(await outcomes([join(20 + again.length)])));
      expect(count(again, /^ok$/)).toBe(2);
    });
    expect(await outcomes([join(40), join(41), join(42)])).toEqual(['limit', 'limit', 'limit']);
    expect(
      await rooms
        .at(-1)!
        .join()
        .then(() => 'ok'),
    ).toBe('ok');
  });

  it('a user has exactly as many connections as are allowed, and gets places back', async () => {
    const connect = (i: number) => cluster.connect('ann', { node: i % 3 });
    const settled = await Promise.allSettled(Array.from({ length: 9 }, (_, i) => connect(i)));
    const open = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(open).toHaveLength(4);
    const refused = settled.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []));
    for (const reason of refused) expect(reason).toContain('429');
    await open[0]!.terminate();
    await eventually(() => connect(1));
    await expect(connect(2)).rejects.toThrow('429');
  });

  it('the places of a node that has died are given to others', async () => {
    const [engineOfFirst] = cluster.nodes.map((node) => node.get(Engine));
    // A node that took its places and ended without a word: it has no lease.
    const { places, registry } = engineOfFirst!;
    const dead = Object.assign(Object.create(places) as typeof places, { nodeId: 'dead' });
    await dead.take('x:1', 5);
    const counts = new PlaceCounts(places, registry);
    try {
      expect(await counts.take('x:1', { most: 5 })).toBe(true);
      await dead.take('x:1', 4);
      expect(await counts.take('x:1', { most: 5 })).toBe(true);
      // One that lives keeps its places.
      const live = Object.assign(Object.create(places) as typeof places, {
        nodeId: cluster.nodes[1]!.get(Engine).registry.self.nodeId,
      });
      await live.take('x:1', 3);
      expect(await counts.take('x:1', { most: 5 })).toBe(false);
      counts.release('x:1');
      await eventually(async () => expect(await live.take('x:1', 4, 5)).toBeUndefined());
    } finally {
      counts.close();
    }
  });
});
