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
  const outcomes: string[] = [];
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
      // A client does not wait longer than a second to be greeted, and is told when Redis is back after more.
      const heard = client.next((frame) => isSent(frame) || isBack(frame)).then(nameOf);
      return Promise.race([heard, client.closed.then(() => 'closed')]);
    });
    outcomes.push(...(await Promise.all(connecting)));
  }
  expect({ seed, closed: outcomes.filter((outcome) => outcome === 'closed') }).toEqual({ seed, closed: [] });
  const heard = outcomes.filter((outcome) => outcome === 'heard').length;
  expect({ seed, most: heard >= outcomes.length * 0.75 }).toEqual({ seed, most: true });
});

function isBack({ event, data }: { event?: string; data?: unknown }): boolean {
  return event === '$notice' && (data as { degraded?: boolean }).degraded === false;
}

const nameOf = (frame: { event?: string }): string => (isBack(frame) ? 'told' : 'heard');
