import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Channels, Rooms } from '@wss/cluster';
import { eventually, FeatureCluster, newSeed, Random, type TestClient } from '@wss/testing';
import { ClubModule, runs } from './fixtures/club.js';
import { nearAndFar, type NearAndFar } from './fixtures/near-and-far.js';

const room = 'club:1';
const COMMANDS = ['club.look', 'club.type', 'club.say', '$presence'];
const seed = newSeed();
const random = new Random(seed);

/** Sends a command of the room; most of them have nothing to commit. */
function send(client: TestClient, event = random.pick(COMMANDS)): Promise<{ error?: { code: string } }> {
  const data = event === '$presence' ? {} : { text: 'x' };
  return client.request(event, data, { room });
}

describe.each(['memory', 'redis'] as const)(
  'R38: commands in a room that a resume restored, on %s',
  (engine) => {
    let cluster: FeatureCluster;
    beforeAll(async () => {
      cluster = await FeatureCluster.start({ features: [ClubModule], nodes: 2, engine });
    });
    afterAll(() => cluster?.stop());
    afterEach(() => void runs.splice(0));

    const rooms = () => cluster.nodes[random.below(2)]!.app.get(Rooms, { strict: false });
    const end = (client: TestClient): Promise<unknown> => {
      const target = rooms().to(room);
      return random.pick([
        () => target.remove(client.hello.user, { reason: 'rude' }),
        () => target.remove({ session: client.hello.session }, { reason: 'rude' }),
      ])();
    };

    it('are refused before its $join is judged, if the membership was ended', async () => {
      for (let round = 0; round < 30; round++) {
        const user = `user ${round}`;
        const client = await cluster.connect(user, { node: random.below(2), session: true });
        await client.join(room);
        const isRemoved = random.below(3) > 0;
        const comesFirst = random.below(2) === 0;
        await client.terminate();
        if (isRemoved && !comesFirst) await end(client);
        await cluster.reconnect(client, random.below(2));
        // A removal that came before the end of the connection was noticed has ended the membership already.
        const isOver = (client.hello.rooms as string[]).length === 0;
        expect({ seed, round, isOver: isOver && !(isRemoved && !comesFirst) }).toEqual({
          ...{ seed, round },
          isOver: false,
        });
        // A membership that was judged once may end after that.
        if (comesFirst && random.below(2) === 0) expect(await send(client)).not.toHaveProperty('error');
        if (isRemoved && comesFirst) await end(client);
        runs.length = 0;
        const sent = Array.from({ length: 1 + random.below(6) }, () => send(client));
        const codes = new Set((await Promise.all(sent)).map(({ error }) => error?.code));
        expect({ seed, round, codes }).toEqual({
          ...{ seed, round },
          codes: new Set([isRemoved ? 'forbidden' : undefined]),
        });
        if (!isRemoved) continue;
        expect({ seed, round, ran: runs.includes(user) }).toEqual({ seed, round, ran: false });
        if (!isOver) expect(await client.event('$removed')).toMatchObject({ room, data: { reason: 'rude' } });
        // Behind its join they are those of a member again.
        const joined = client.join(room);
        const behind = send(client);
        await joined;
        expect(await behind).not.toHaveProperty('error');
      }
    });
  },
);

describe('R38: commands on a node that was cut off', () => {
  let cluster: NearAndFar;
  beforeAll(async () => {
    cluster = await nearAndFar([ClubModule]);
  });
  afterAll(() => cluster?.stop());

  it('of a removed user run no more once its channels are heard again', async () => {
    const { near, far, proxy } = cluster;
    let isHeard = false;
    far.nodes[0]!.app.get(Channels, { strict: false }).onReturn({
      lost: () => undefined,
      returning: () => void (isHeard = true),
      refused: () => undefined,
    });
    for (let round = 0; round < 8; round++) {
      const user = `user ${round}`;
      const [client, witness] = [await far.connect(user), await far.connect(`witness ${round}`)];
      // Not all links may be back since the last round.
      for (const each of [client, witness]) await eventually(() => each.join(room));
      isHeard = false;
      await proxy.setMode(random.pick(['cut', 'mute'] as const));
      await near.nodes[0]!.app.get(Rooms, { strict: false }).to(room).remove(user);
      proxy.latencyMs = random.pick([0, 20, 60]);
      await proxy.setMode('pass');
      // Each command is sent when the last one was answered.
      let late = 0;
      let answers = 0;
      for (let code = ''; code !== 'forbidden'; answers++) {
        runs.length = 0;
        const wasHeard = isHeard;
        code = (await send(client, random.pick(COMMANDS.slice(0, 2)))).error?.code ?? '';
        if (wasHeard && runs.includes(user)) late++;
      }
      expect({ seed, round, late }).toEqual({ seed, round, late: 0 });
      await client.event('$removed');
      await eventually(async () => expect(await send(witness, 'club.look')).not.toHaveProperty('error'));
      proxy.latencyMs = 0;
      for (const each of [client, witness]) await each.close();
    }
  }, 60_000);
});
