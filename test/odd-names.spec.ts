import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import {
  Command,
  CurrentCommand,
  InjectState,
  Presence,
  RateLimit,
  RoomDocument,
  Rooms,
  RoomType,
  Sessions,
  StateRepository,
  Users,
  WssModule,
} from '@wss/nest';
import {
  eventually,
  type FeatureCluster,
  newSeed,
  Random,
  type TestClient,
  UpgradeRefused,
} from '@wss/testing';
import { ENGINES, startOn } from './fixtures/any-engine.js';
import { IsObject, IsString } from 'class-validator';

const HOUR = 3_600_000;
const PARTS = ['{', '}', '%', ':', ' ', '{}', '{}{x}', '}{', 'a', 'Z', 'é', '💥', '*', '"', '?', '\\', '-'];
/** Names whose keys have no hash tag, an empty one, or one of their own. */
const NAMES = ['}', '{', '{}', '}{', '{}{x}', 'a}b', '{a}b', ':{', '% }'];

class Mark {
  @IsString() by!: string;
}

@RoomDocument('wall')
class Wall {
  @IsObject() marks: Record<string, number> = {};
}

@RoomType('wall', { presence: true, events: { 'wall.marked': Mark } })
class WallHandlers {
  constructor(@InjectState(Wall) private readonly walls: StateRepository<Wall>) {}

  @SubscribeMessage('wall.mark')
  @RateLimit({ per: 'user', limit: 3, windowMs: HOUR })
  mark(@CurrentCommand() command: Command): Promise<number> {
    const { user } = command;
    return this.walls.update(command, (wall, room) => {
      room.append('wall.marked', { by: user });
      return (wall.marks[user] = (wall.marks[user] ?? 0) + 1);
    });
  }

  @SubscribeMessage('wall.call')
  @RateLimit({ per: 'user', overRooms: true, limit: 2, windowMs: HOUR })
  call(@MessageBody() { by }: Mark): string {
    return by;
  }
}

@Module({ imports: [WssModule.forFeature([Wall])], providers: [WallHandlers] })
class WallModule {}

const seed = newSeed();
const random = new Random(seed);
let count = 0;
const anyName = (): string => Array.from({ length: 1 + random.below(7) }, () => random.pick(PARTS)).join('');
/** Each with a number, so that no two are one; it parts no braces. */
const users = [...NAMES, ...Array.from({ length: 11 }, anyName)].map((name) => `${name}${++count}`);

beforeAll(() => void process.stdout.write(`seed ${seed}\n`));

describe.each(ENGINES)('users of any name, on %s', (engine) => {
  let cluster: FeatureCluster;
  beforeAll(async () => {
    cluster = await startOn(engine, {
      features: [WallModule],
      options: { limits: { connectionsPerUser: 2 }, presence: { graceMs: 50 } },
    });
  });
  afterAll(() => cluster?.stop());

  it.each(users)('lets %j come, be limited, come back, and be put out', async (user) => {
    const room = `wall:${++count}`;
    const connect = (node: number): Promise<TestClient> => cluster.connect(user, { node, session: true });
    const [here, there] = [await connect(0), await connect(1)];
    const witness = await cluster.connect(`witness of ${user}`, { node: 1 });
    for (const client of [here, there, witness]) await client.join(room);

    // Places.
    await expect(connect(0)).rejects.toMatchObject({ status: 429 } satisfies Partial<UpgradeRefused>);

    // Commits, limits within a room and over rooms, history, presence.
    const marks: unknown[] = [];
    for (let i = 0; i < 4; i++) marks.push(await (i % 2 ? here : there).request('wall.mark', {}, { room }));
    expect(marks).toMatchObject([{ data: 1 }, { data: 2 }, { data: 3 }, { error: { code: 'rate_limited' } }]);
    const calls: unknown[] = [];
    for (let i = 0; i < 3; i++)
      calls.push(await (i % 2 ? here : there).request('wall.call', { by: user }, { room }));
    expect(calls).toMatchObject([{ data: user }, { data: user }, { error: { code: 'rate_limited' } }]);
    const history = await here.command<{ events: { data: Mark }[] }>('$history', {}, { room });
    expect(history.events.map(({ data }) => data.by)).toEqual([user, user, user]);
    const presence = cluster.nodes[0]!.get(Presence);
    await eventually(async () =>
      expect((await presence.of(room).list()).users.map((one) => one.user)).toContain(user),
    );

    // A resumed session.
    // Its node may learn later than we that the connection has gone, and its place with it.
    await eventually(() => here.reconnect(cluster.nodes[1]!.url));
    expect(here.hello).toMatchObject({ resumed: true, user, rooms: [room] });
    await here.join(room);

    // Removed, disconnected, and revoked.
    await cluster.nodes[0]!.get(Rooms).to(room).remove(user, { reason: 'test' });
    for (const client of [here, there]) await client.event('$removed');
    await cluster.nodes[0]!.get(Users).disconnect(user);
    for (const client of [here, there]) expect((await client.closed).code).toBe(4402);
    const back = await eventually(() => connect(0));
    await back.join(room);
    await cluster.nodes[1]!.get(Sessions).revoke(back.hello.session, { by: 'tests' });
    expect((await back.closed).code).toBe(4501);
    const last = await eventually(() => connect(1));
    await last.join(room);
    await cluster.nodes[0]!.get(Users).revoke(user, { by: 'tests' });
    expect((await last.closed).code).toBe(4501);
    await expect(connect(0)).rejects.toMatchObject({ status: 401 });
    await eventually(async () =>
      expect((await presence.of(room).list()).users.map((one) => one.user)).not.toContain(user),
    );
    await cluster.nodes[1]!.get(Rooms).to(room).close();
    await witness.event('$removed');
    await witness.close();
  });
});

describe.each(ENGINES)('users of any name who may have one connection, on %s', (engine) => {
  let cluster: FeatureCluster;
  beforeAll(
    async () => void (cluster = await startOn(engine, { features: [WallModule], options: { single: true } })),
  );
  afterAll(() => cluster?.stop());

  it.each(users)('lets %j keep the newest', async (user) => {
    const clients: TestClient[] = [];
    for (let i = 0; i < 3; i++) clients.push(await cluster.connect(user, { node: i % 2 }));
    for (const client of clients.slice(0, -1)) expect((await client.closed).code).toBe(4503);
    await clients.at(-1)!.request('$ping', {});
    await clients.at(-1)!.close();
  });
});
