import { expect } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { eventually, type GatewayCluster, TestClient } from '@wss/testing';

/** A dead node is seen after its lease, and only by who has seen one Redis for two leases. */
const PATIENT = { withinMs: 40_000, everyMs: 100 };

/**
 * Expects that who is in a room stays known while the master of its data is replaced: nobody is announced as gone but
 * who left, and who was on a node that was killed, once each.
 * @param replaceMaster kills the master of the room, and resolves when all nodes are ready again
 */
export async function expectPresenceToSurvive(
  cluster: GatewayCluster,
  replaceMaster: (room: string) => Promise<void>,
): Promise<void> {
  const room = `chat:${randomUUID()}`;
  const doomed = await cluster.addNode();
  const [first, second] = cluster.nodes.map(({ url }) => url) as [string, string];
  const clients: TestClient[] = [];
  const come = async (user: string, url: string): Promise<TestClient> => {
    const client = await TestClient.connect(url, { user });
    clients.push(client);
    await client.join(room);
    return client;
  };
  const watcher = await come('watcher', first);
  await come('ann', first);
  await come('bob', second);
  const dan = await come('dan', second);
  await come('eve', doomed.url);
  const usersAre = (...users: string[]): Promise<void> =>
    eventually(async () => {
      const page = await watcher.command<{ users: { user: string }[] }>('$presence', {}, { room });
      expect(page.users.map(({ user }) => user)).toEqual(users);
    }, PATIENT);
  await usersAre('ann', 'bob', 'dan', 'eve', 'watcher');
  await replaceMaster(room);
  await usersAre('ann', 'bob', 'dan', 'eve', 'watcher');
  await dan.command('$leave', {}, { room });
  await come('fay', second);
  await usersAre('ann', 'bob', 'eve', 'fay', 'watcher');
  await doomed.kill();
  await usersAre('ann', 'bob', 'fay', 'watcher');
  await eventually(() => {
    const left = watcher.presence.flatMap(({ data }) => data!.left);
    expect(left.sort()).toEqual(['dan', 'eve']);
  });
  for (const client of clients) await client.close();
}
