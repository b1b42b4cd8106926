import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Injectable, Module } from '@nestjs/common';
import { Presence, Rooms, RoomType, Sessions, Users } from '@wss/nest';
import { eventually, FeatureCluster, newSeed, Random, type TestClient } from '@wss/testing';
import { Engine } from '../src/engine/engine.js';

@Injectable()
@RoomType('club', { presence: true })
class Clubs {}

@Module({ providers: [Clubs] })
class ClubModule {}

const seed = newSeed();
const random = new Random(seed);
const ROOMS = ['club:1', 'club:2'];

/** The ways in which somebody is put out; those of a session concern one of the user's two. */
const WAYS = ['remove', 'remove session', 'close', 'revoke', 'revoke session', 'disconnect'] as const;

describe.each(['memory', 'redis'] as const)('R39: presence of users who are put out, on %s', (engine) => {
  let cluster: FeatureCluster;
  let witness: TestClient;
  beforeAll(async () => {
    const options = { presence: { graceMs: 50_000 } };
    cluster = await FeatureCluster.start({ features: [ClubModule], nodes: 2, engine, options });
    witness = await cluster.connect('witness');
    for (const room of ROOMS) await witness.join(room);
  });
  afterAll(() => cluster?.stop());

  const app = () => cluster.nodes[random.below(2)]!.app;
  const present = async (room: string): Promise<string[]> =>
    (await app().get(Presence, { strict: false }).of(room).list()).users.map(({ user }) => user);

  /** Joins and is cut off, with its session and the grace of its user left. */
  async function cutOff(user: string): Promise<string> {
    const client = await cluster.connect(user, { node: random.below(2), session: true });
    for (const room of ROOMS) await client.join(room);
    await eventually(async () => expect(await present(ROOMS[0]!)).toContain(user));
    await client.terminate();
    return client.hello.session as string;
  }

  /** Was in the rooms on a node that was killed. */
  async function onDeadNode(user: string): Promise<string> {
    const { sessionStore: sessions, presence } = app().get(Engine, { strict: false });
    const id = randomUUID();
    await sessions.create({ id, user, generation: 1 }, 86_400_000);
    for (const room of ROOMS) {
      await sessions.addRoom(id, room);
      const changes = [{ client: `dead.${user}`, user }];
      await presence.update({ room, owner: 'dead~0', changes, pauseMs: 0 });
    }
    return id;
  }

  async function putOut(way: (typeof WAYS)[number], user: string, session: string): Promise<string[]> {
    const [rooms, by] = [app().get(Rooms, { strict: false }), { by: 'tests' }];
    const room = ROOMS[0]!;
    if (way === 'remove') await rooms.to(room).remove(user);
    else if (way === 'remove session') await rooms.to(room).remove({ session });
    else if (way === 'close') await rooms.to(room).close();
    else if (way === 'revoke') await app().get(Users).revoke(user, by);
    else if (way === 'disconnect') await app().get(Users).disconnect(user);
    else await app().get(Sessions).revoke(session, by);
    return ['remove', 'remove session', 'close'].includes(way) ? [room] : ROOMS;
  }

  it('ends at once, though nobody has a connection any more, and in no other room', async () => {
    for (const way of WAYS) {
      for (const lost of [cutOff, onDeadNode]) {
        // If all must go, users of a node that was killed count as present until it is swept.
        if (way === 'close' && lost === onDeadNode) continue;
        const [user, other] = [`${way} ${lost.name}`, `other than ${way} ${lost.name}`];
        const [session] = [await lost(user), await cutOff(other)];
        const left = await putOut(way, user, session);
        for (const room of ROOMS) {
          const isGone = left.includes(room);
          await eventually(async () => {
            const users = await present(room);
            expect({ way, lost: lost.name, room, isIn: users.includes(user) }).toEqual({
              ...{ way, lost: lost.name, room },
              isIn: !isGone,
            });
            if (way !== 'close') expect(users).toEqual(expect.arrayContaining(['witness', other]));
          });
        }
        if (way === 'close') for (const room of ROOMS) await witness.join(room);
      }
    }
  }, 120_000);
});
