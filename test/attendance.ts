import { expect } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { WssClient } from '@wss/client';
import { eventually, type GatewayCluster, TestClient } from '@wss/testing';
import { WebSocket } from 'ws';

/** A dead node is noticed after its lease, and only by a node that has seen one Redis for two leases. */
const PATIENT = { withinMs: 40_000, everyMs: 100 };

/**
 * Expects that the users in a room stay known while the master of its data is replaced: only users who left, or were
 * on a killed node, are announced as gone, once each. An announcement may be missed while a link is made anew; who
 * follows them learns of it all the same.
 * @param replaceMaster kills the master of the room, and resolves when all nodes are ready again
 */
export async function expectPresenceToSurvive(
  cluster: GatewayCluster,
  replaceMaster: (room: string) => Promise<void>,
): Promise<void> {
  const room = `chat:${randomUUID()}` as const;
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
  const follower = new WssClient(`${first}?user=follower`, { WebSocket });
  const { members } = follower.room(room);
  members.subscribe(() => undefined);
  await follower.room(room).join();
  const page = (): Promise<{ version: number; users: { user: string }[] }> =>
    watcher.command('$presence', {}, { room });
  /** Returns the version of a list that they are in. */
  const usersAre = async (...users: string[]): Promise<number> => {
    await eventually(async () => {
      expect((await page()).users.map(({ user }) => user)).toEqual(users);
    }, PATIENT);
    await eventually(() => expect(members.list.map(({ user }) => user).sort()).toEqual(users), PATIENT);
    return (await page()).version;
  };
  await usersAre('ann', 'bob', 'dan', 'eve', 'follower', 'watcher');
  await replaceMaster(room);
  await usersAre('ann', 'bob', 'dan', 'eve', 'follower', 'watcher');
  await come('fay', second);
  const before = await usersAre('ann', 'bob', 'dan', 'eve', 'fay', 'follower', 'watcher');
  await dan.command('$leave', {}, { room });
  await usersAre('ann', 'bob', 'eve', 'fay', 'follower', 'watcher');
  await doomed.kill();
  const after = await usersAre('ann', 'bob', 'fay', 'follower', 'watcher');
  const left = watcher.presence.flatMap(({ data }) => data!.left).sort();
  const versions = watcher.presence.map(({ data }) => data!.version);
  expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
  expect(left).toEqual([...new Set(left)]);
  expect(['dan', 'eve']).toEqual(expect.arrayContaining(left));
  // Only what the versions show to be missing may be.
  const missed = after - before - versions.filter((version) => version > before && version <= after).length;
  if (missed === 0) expect(left).toEqual(['dan', 'eve']);
  await follower.close();
  for (const client of clients) await client.close();
}
