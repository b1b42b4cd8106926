import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { Rooms, RoomType, Sessions, Users } from '@wss/nest';
import { FeatureCluster, newSeed, Random, type TestClient } from '@wss/testing';

@Injectable()
@RoomType('club', {})
class Clubs {}

@Module({ providers: [Clubs] })
class ClubModule {}

type Call = (users: Users, sessions: Sessions, rooms: Rooms, options: never) => Promise<unknown>;

const ROOM = 'club:1';
/** Of somebody who is there, so that a call which takes effect is seen. */
const CALLS: Readonly<Record<string, Call>> = {
  'Users.disconnect': (users, _, __, options) => users.disconnect('ann', options),
  'Users.revoke': (users, _, __, options) => users.revoke('ann', options),
  'Sessions.revoke': (_, sessions, __, options) => sessions.revoke(client.hello.session as string, options),
  'Rooms.remove': (_, __, rooms, options) => rooms.to(ROOM).remove('ann', options),
  'Rooms.close': (_, __, rooms, options) => rooms.to(ROOM).close(options),
};
const BARE = Object.create(null) as object;
const STRANGE: readonly unknown[] = [0, 7n, true, [], {}, BARE, Symbol('s'), () => 'x', new Date(0)];
const NO_OPTIONS: readonly unknown[] = [null, 'ann', ...STRANGE.filter((value) => typeof value !== 'object')];

let client: TestClient;

describe.each(['memory', 'redis'] as const)('calls that put somebody out, on %s', (engine) => {
  const seed = newSeed();
  const random = new Random(seed);
  let cluster: FeatureCluster;
  beforeAll(async () => {
    process.stdout.write(`seed ${seed}\n`);
    cluster = await FeatureCluster.start({ features: [ClubModule], engine });
    client = await cluster.connect('ann', { session: true });
    await client.join(ROOM);
  });
  afterAll(() => cluster?.stop());

  const badOptions = (): unknown => {
    if (random.below(3) === 0) return random.pick(NO_OPTIONS);
    return random.below(2) ? { by: 'tests', reason: random.pick(STRANGE) } : { by: random.pick(STRANGE) };
  };

  it.each(Object.keys(CALLS))('refuse strange options of %s, and nothing takes effect', async (name) => {
    const { app } = cluster.nodes[0]!;
    const [users, sessions, rooms] = [app.get(Users), app.get(Sessions), app.get(Rooms, { strict: false })];
    for (let i = 0; i < 60; i++) {
      const call = async () => CALLS[name]!(users, sessions, rooms, badOptions() as never);
      await expect(call()).rejects.toMatchObject({ code: 'invalid' });
    }
    await client.request('$ping', {});
    expect(await client.drain()).toEqual([]);
  });
});
