import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Injectable, Logger, Module } from '@nestjs/common';
import { Rooms, RoomType, Sessions, Users } from '@wss/nest';
import { RedisKeys } from '@wss/redis';
import { clusterOnServers, eventually, type FeatureCluster, RedisServer } from '@wss/testing';

@Injectable()
@RoomType('note', {})
class Notes {}

@Module({ providers: [Notes] })
class NotesModule {}

const keys = new RedisKeys('wss');
const OLDER = 'a node of an older release runs';

let servers: RedisServer;
let cluster: FeatureCluster;
let lines: string[];
beforeAll(async () => {
  servers = await RedisServer.start();
  cluster = await clusterOnServers(servers, { features: [NotesModule], nodes: 1 });
  const add = (line: unknown): void => void lines.push(String(line));
  Logger.overrideLogger({ log: add, error: add, warn: add });
});
beforeEach(() => {
  lines = [];
});
afterAll(async () => {
  Logger.overrideLogger(['error', 'fatal']);
  await cluster?.stop();
});

/** Takes a lease as releases do that name no form of rooms in it. */
async function olderNodeComes(): Promise<void> {
  await servers.cli('HSET', keys.nodeRecords, 'older', JSON.stringify({ startedAt: Date.now() }));
  await servers.cli('ZADD', keys.nodes, String(Date.now() + 3_600_000), 'older');
}
async function olderNodeGoes(): Promise<void> {
  await servers.cli('ZREM', keys.nodes, 'older');
  await servers.cli('HDEL', keys.nodeRecords, 'older');
}

const removed = (): Promise<unknown> =>
  cluster.nodes[0]!.get(Rooms)
    .to('note:1')
    .remove('ann')
    .then(
      () => 'removed',
      ({ code }) => code,
    );

it('R41: removals are refused while an older node lives, and revocations warn of it', async () => {
  const [users, sessions] = [cluster.nodes[0]!.get(Users), cluster.nodes[0]!.get(Sessions)];
  const ann = await cluster.connect('ann', { room: 'note:1' });
  await olderNodeComes();
  await eventually(async () => expect(await removed()).toBe('unavailable'), { withinMs: 10_000 });
  await sessions.revoke('unknown', { by: 'tests' });
  expect(lines.filter((line) => line.includes(OLDER))).toEqual([]);
  await users.disconnect('bob');
  await users.revoke('ann', { by: 'tests' });
  expect(await ann.closed).toMatchObject({ code: 4501 });
  const warned = lines.filter((line) => line.includes(OLDER));
  expect(warned).toEqual([expect.stringMatching(/"bob"$/), expect.stringMatching(/"ann"$/)]);
  await olderNodeGoes();
  await eventually(async () => expect(await removed()).toBe('removed'), { withinMs: 10_000 });
  await users.revoke('ann', { by: 'tests' });
  expect(lines.filter((line) => line.includes(OLDER))).toEqual(warned);
});
