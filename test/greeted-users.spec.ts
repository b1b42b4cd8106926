import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Rooms } from '@wss/cluster';
import { clusterOnServers, type FeatureCluster, newSeed, Random, RedisServer, TcpProxy } from '@wss/testing';
import { ClubModule } from './fixtures/club.js';

const seed = newSeed();
const random = new Random(seed);
let near: FeatureCluster;
let far: FeatureCluster;
let proxy: TcpProxy;

beforeAll(async () => {
  const server = await RedisServer.start();
  proxy = await TcpProxy.start({ to: server.port });
  const nodes = { features: [ClubModule], nodes: 1 };
  const url = `redis://127.0.0.1:${server.port}`;
  near = await clusterOnServers({ url, stop: () => server.stop() } as never, nodes);
  far = await clusterOnServers({ url: proxy.url, stop: () => proxy.stop() } as never, nodes);
});
afterAll(async () => {
  await far?.stop();
  await near?.stop();
});

it('sends a greeted client what is sent to its user from then on, by any node', async () => {
  const rooms = near.nodes[0]!.app.get(Rooms, { strict: false });
  for (let round = 0; round < 20; round++) {
    proxy.latencyMs = random.below(30);
    const user = `user ${round}`;
    const connecting = Array.from({ length: 1 + random.below(3) }, async () => {
      const client = await far.connect(user, { session: true });
      expect(client.hello.user).toBe(user);
      const sent = `${round}.${random.below(1e9)}`;
      await rooms.toUser(user).send('club.told', { sent });
      const isSent = ({ data }: { data?: unknown }): boolean => (data as { sent?: string })?.sent === sent;
      const heard = client.until(isSent).then(() => 'heard');
      return Promise.race([heard, client.closed.then(() => 'closed')]);
    });
    for (const outcome of await Promise.all(connecting))
      expect({ seed, outcome }).toEqual({ seed, outcome: 'heard' });
  }
});
