import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { Rooms, RoomType, Users } from '@wss/nest';
import {
  clusterOnServers,
  type FeatureCluster,
  GatewayNode,
  newSeed,
  Random,
  RedisClusterServers,
  RedisServer,
  type ServerFrame,
  TestClient,
} from '@wss/testing';
import { IsInt, IsString } from 'class-validator';

const USERS = 24;
/** Longer than a removal may take on a node whose links are proven, ms. */
const FROZEN_MS = 1_200;

class Sent {
  @IsString() user!: string;
  @IsString() text!: string;
  @IsInt() at!: number;
}

class Typing {
  @IsString() user!: string;
}

/** The rooms of the gateway, on a node of the test. */
@Injectable()
@RoomType('chat', { presence: true, events: { 'chat.sent': Sent }, volatile: { 'chat.typing': Typing } })
class ChatRooms {}

@Module({ providers: [ChatRooms] })
class ChatModule {}

/** One user who is put out, alone in a room with two others. */
interface Case {
  readonly room: string;
  readonly user: string;
  readonly how: 'remove' | 'remove session' | 'close' | 'revoke' | 'disconnect';
  /** On the node that stands still. */
  readonly gone: TestClient;
  /** On the same node. */
  readonly mate: TestClient;
  /** On the other one. */
  readonly witness: TestClient;
  /** Where it has joined. */
  readonly at: { readonly epoch: string; readonly seq: number };
  /** Frames that came before it stood still. */
  before: number;
}

describe.each(['Redis', 'Redis Cluster'] as const)('R38, R39: a node that stood still, on %s', (kind) => {
  let near: FeatureCluster;
  let frozen: GatewayNode;
  const seed = newSeed();
  const random = new Random(seed);
  let count = 0;

  beforeAll(async () => {
    const servers = await (kind === 'Redis' ? RedisServer.start() : RedisClusterServers.start({}));
    near = await clusterOnServers(servers, { features: [ChatModule], nodes: 1 });
    frozen = await GatewayNode.start({ redis: servers.url });
  });
  afterAll(async () => {
    await frozen?.stop();
    await near?.stop();
  });

  const rooms = (): Rooms => near.nodes[0]!.get(Rooms);
  const users = (): Users => near.nodes[0]!.get(Users);

  async function newCase(): Promise<Case> {
    const room = `chat:${++count}`;
    const user = `user ${count}`;
    const how = random.pick(['remove', 'remove session', 'close', 'revoke', 'disconnect'] as const);
    const session = how === 'remove session' || random.below(2) === 0;
    const gone = await TestClient.connect(frozen.url, { user, session });
    const mate = await TestClient.connect(frozen.url, { user: `mate ${count}` });
    const witness = await near.connect(`witness ${count}`);
    const { epoch, seq } = await gone.join<Case['at']>(room);
    for (const client of [mate, witness]) await client.join(room);
    return { room, user, how, gone, mate, witness, at: { epoch, seq }, before: 0 };
  }

  function send({ gone, room, at }: Case, text: string): void {
    const [event, data] = random.pick([
      ['chat.typing', {}],
      ['chat.send', { text }],
      ['chat.typing', {}],
      ['$presence', {}],
      // Goes on from a membership that has ended.
      ['$join', at],
    ] as const);
    gone.send({ event, room, data, id: text });
  }

  async function putOut({ room, user, how, gone, witness }: Case): Promise<void> {
    const target = rooms().to(room);
    if (how === 'remove') await target.remove(user);
    else if (how === 'remove session') await target.remove({ session: gone.hello.session });
    else if (how === 'close') {
      await target.close();
      await witness.event('$removed');
      await witness.join(room);
    } else if (how === 'revoke') await users().revoke(user, { by: 'tests' });
    else await users().disconnect(user);
    // Everything of theirs that the others get behind it is unlawful.
    await target.append('by node', 'chat.sent', { user: 'node', text: 'put out', at: 0 });
  }

  const ofRoom = (frames: readonly ServerFrame[], room: string): ServerFrame[] =>
    frames.filter((frame) => frame.room === room && frame.event !== '$presence');
  const isFrom =
    (user: string) =>
    ({ event, data }: ServerFrame): boolean =>
      (event === 'chat.typing' || event === 'chat.sent') && (data as { user: string }).user === user;
  const says =
    (text: string) =>
    ({ event, data }: ServerFrame): boolean =>
      event === 'chat.sent' && (data as { text: string }).text === text;

  it('does nothing of users who were put out meanwhile, and sends them nothing', async () => {
    const cases: Case[] = [];
    for (let i = 0; i < USERS; i++) cases.push(await newCase());
    await frozen.pause();
    const thawed = delay(FROZEN_MS);
    for (const one of cases) one.before = one.gone.frames.length;
    for (const one of cases) {
      const { gone, mate, room, how } = one;
      // The socket that has something first is read first.
      const early = random.below(3);
      for (let i = 0; i < early; i++)
        random.pick([() => gone.send({ event: '$ping' }), () => send(one, `early${i}`)])();
      await putOut(one);
      for (let i = random.below(4); i >= 0; i--) send(one, `late${i}`);
      if (how !== 'close')
        for (let i = random.below(3); i >= 0; i--) mate.send({ event: 'chat.typing', room, data: {} });
    }
    await thawed;
    frozen.resume();
    for (const { gone, room, how, user, mate, witness, before } of cases) {
      const info = { seed, how, user };
      if (how === 'revoke' || how === 'disconnect')
        expect({ ...info, code: (await gone.closed).code }).toEqual({
          ...info,
          code: how === 'revoke' ? 4501 : 4402,
        });
      else {
        await gone.event('$removed');
        await gone.request('$ping');
      }
      await mate.request('$ping');
      await rooms().to(room).append('by node', 'chat.sent', { user: 'node', text: 'end', at: 0 });
      await witness.next(says('end'));
      const seen = witness.frames.slice(witness.frames.findIndex(says('put out')));
      expect({ ...info, seen: seen.filter(isFrom(user)).map(({ event }) => event) }).toEqual({
        ...info,
        seen: [],
      });
      const got = ofRoom(gone.frames.slice(before), room);
      expect({ ...info, got: got.map(({ event }) => event).filter((event) => event !== '$removed') }).toEqual(
        {
          ...info,
          got: [],
        },
      );
    }
    for (const { gone, mate, witness } of cases)
      for (const client of [gone, mate, witness]) await client.terminate();
  }, 60_000);
});
