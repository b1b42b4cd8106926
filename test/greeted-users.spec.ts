import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Rooms } from '@wss/cluster';
import { newSeed, Random } from '@wss/testing';
import { ClubModule } from './fixtures/club.js';
import { nearAndFar, type NearAndFar } from './fixtures/near-and-far.js';

const seed = newSeed();
const random = new Random(seed);
let cluster: NearAndFar;

beforeAll(async () => {
  cluster = await nearAndFar([ClubModule]);
});
afterAll(() => cluster?.stop());

it('sends a greeted client what is sent to its user from then on, by any node', async () => {
  const { near, far, proxy, server } = cluster;
  const rooms = near.nodes[0]!.app.get(Rooms, { strict: false });
  for (let round = 0; round < 20; round++) {
    proxy.latencyMs = random.below(30);
    // Then the link that hears messages is made anew while clients are admitted.
    if (random.below(2) === 0) await server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
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
