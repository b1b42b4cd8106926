import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { eventually, type FeatureCluster, newSeed, Random, type TestClient } from '@wss/testing';
import { ENGINES, startOn } from './fixtures/any-engine.js';

@Module({})
class NothingModule {}

const isOpen = ({ socket }: TestClient): boolean => socket.readyState === socket.OPEN;

describe.each(ENGINES)('a user who may have one connection, on %s', (engine) => {
  let cluster: FeatureCluster;
  const random = new Random(newSeed());
  let users = 0;

  beforeAll(async () => {
    const nodes = { features: [NothingModule], nodes: 3, options: { single: true } };
    cluster = await startOn(engine, nodes);
  });
  afterAll(() => cluster?.stop());

  const connect = (user: string): Promise<TestClient> => {
    const protocols = random.below(3) === 0 ? [] : ['wss.v1'];
    return cluster.connect(user, { node: random.below(3), protocols });
  };

  /** The one that is left; all others were closed with 4503. */
  async function left(clients: readonly TestClient[]): Promise<TestClient> {
    await eventually(() => expect(clients.filter(isOpen)).toHaveLength(1));
    for (const client of clients.filter((one) => !isOpen(one)))
      expect(await client.closed).toEqual({ code: 4503, reason: 'connected elsewhere' });
    const [one] = clients.filter(isOpen);
    await one!.request('$ping', {});
    return one!;
  }

  it('keeps the newest of those that come one after another', async () => {
    for (let round = 0; round < 20; round++) {
      const user = `user ${++users}`;
      const clients: TestClient[] = [];
      for (let i = 0; i < 4; i++) clients.push(await connect(user));
      expect(await left(clients)).toBe(clients.at(-1));
    }
  });

  it('keeps exactly one of those that come at the same moment, on whichever nodes', async () => {
    for (let round = 0; round < 30; round++) {
      const user = `user ${++users}`;
      await left(await Promise.all(Array.from({ length: 2 + random.below(6) }, () => connect(user))));
    }
  });

  if (engine !== 'Redis Cluster')
    it('keeps one after a failover that lost the newest', async () => {
      const user = `user ${++users}`;
      const clients = [await connect(user)];
      await cluster.loseTail(async () => {
        clients.push(...(await Promise.all(Array.from({ length: 3 }, () => connect(user)))));
        await left(clients);
      });
      const kept = await left(clients);
      clients.push(await connect(user));
      expect(await left(clients)).toBe(clients.at(-1));
      expect((await kept.closed).code).toBe(4503);
    });

  it('lets others alone', async () => {
    const [ann, bob] = [await connect(`user ${++users}`), await connect(`user ${++users}`)];
    for (const client of [ann, bob]) await client.request('$ping', {});
  });
});
