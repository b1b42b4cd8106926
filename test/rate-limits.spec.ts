import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Module, type Type } from '@nestjs/common';
import { ConnectedSocket, MessageBody, SubscribeMessage, WsException } from '@nestjs/websockets';
import { WssClient } from '@wss/client';
import {
  Client,
  Command,
  CurrentCommand,
  InjectState,
  RateLimit,
  type RateLimitOptions,
  RoomDocument,
  Rooms,
  RoomType,
  StateRepository,
  WssModule,
} from '@wss/nest';
import { FeatureCluster, type TestRoom } from '@wss/nest/testing';
import { IsInt } from 'class-validator';
import { WebSocket } from 'ws';

const HOUR = 3_600_000;

class Count {
  @IsInt()
  by!: number;
}

@RoomDocument('mill')
class Mill {
  @IsInt({ each: true })
  turns: number[] = [];
}

@RoomType('mill', { events: { 'mill.turned': Count }, volatile: { 'mill.waved': Count } })
class MillHandlers {
  waves = 0;

  constructor(
    @InjectState(Mill) private readonly mills: StateRepository<Mill>,
    private readonly rooms: Rooms,
  ) {}

  @SubscribeMessage('mill.turn')
  @RateLimit({ per: 'room', limit: 20, windowMs: HOUR })
  turn(@MessageBody() { by }: Count, @CurrentCommand() command: Command): Promise<void> {
    return this.add(by, command);
  }

  @SubscribeMessage('mill.vote')
  @RateLimit({ per: 'user', limit: 5, windowMs: HOUR })
  vote(@MessageBody() { by }: Count, @CurrentCommand() command: Command): Promise<void> {
    return this.add(by, command);
  }

  @SubscribeMessage('mill.fail')
  @RateLimit({ per: 'room', limit: 4, windowMs: HOUR })
  fail(@CurrentCommand() command: Command): Promise<void> {
    return this.mills.update(command, () => {
      throw new WsException('no mill');
    });
  }

  @SubscribeMessage('mill.wave')
  @RateLimit({ per: 'room', limit: 7, windowMs: HOUR })
  wave(@MessageBody() { by }: Count, @CurrentCommand() command: Command): void {
    this.waves++;
    this.rooms.to(command.room!).volatile('mill.waved', { by });
  }

  @SubscribeMessage('mill.look')
  @RateLimit({ per: 'client', limit: 3, windowMs: HOUR })
  @RateLimit({ per: 'client', limit: 2, windowMs: 1_000_000 })
  look(@ConnectedSocket() client: Client): string {
    return client.user;
  }

  @SubscribeMessage('mill.tick')
  @RateLimit({ per: 'room', limit: 3, windowMs: 300 })
  tick(@MessageBody() { by }: Count, @CurrentCommand() command: Command): Promise<void> {
    return this.add(by, command);
  }

  private add(by: number, command: Command): Promise<void> {
    return this.mills.update(command, (mill, room) => {
      mill.turns.push(by);
      room.append('mill.turned', { by });
    });
  }
}

@Module({ imports: [WssModule.forFeature([Mill])], providers: [MillHandlers] })
class MillModule {}

describe.each(['memory', 'redis'] as const)('@RateLimit on three nodes over %s', (engine) => {
  let cluster: FeatureCluster;
  let room: `mill:${number}`;
  let rooms = 0;
  let members: TestRoom[];
  beforeAll(async () => {
    cluster = await FeatureCluster.start({ features: [MillModule], nodes: 3, engine });
  });
  afterAll(() => cluster?.stop());
  beforeEach(async () => {
    room = `mill:${++rooms}`;
    members = await Promise.all([0, 1, 2].map((node) => cluster.join(`u${node % 2}`, room, { node })));
  });

  /** Sends so many of each member at once; resolves with the codes of all answers. */
  async function flood(event: string, each: number): Promise<Record<string, number>> {
    const sent = members.flatMap((member) =>
      Array.from({ length: each }, (_, by) => member.request(event, { by })),
    );
    const codes: Record<string, number> = {};
    for (const { error } of await Promise.all(sent)) {
      const code = error?.code ?? 'ok';
      codes[code] = (codes[code] ?? 0) + 1;
      if (code !== 'rate_limited') continue;
      expect(error).toMatchObject({ retry: true, details: [{ retryInMs: expect.any(Number) }] });
    }
    return codes;
  }

  it('admits exactly so many in a room, from all nodes together', async () => {
    expect(await flood('mill.turn', 15)).toEqual({ ok: 20, rate_limited: 25 });
    await cluster.converged(...members);
    expect(members[0]!.document<Mill>('mill').turns).toHaveLength(20);
  });

  it('admits exactly so many of a user in a room', async () => {
    // Two of the three are one user.
    expect(await flood('mill.vote', 8)).toEqual({ ok: 10, rate_limited: 14 });
  });

  it('charges commands that fail', async () => {
    expect(await flood('mill.fail', 4)).toEqual({ rejected: 4, rate_limited: 8 });
  });

  it('runs no handler beyond the limit where it makes no commit', async () => {
    const handlers = cluster.nodes.map((node) => node.get(MillHandlers));
    const before = handlers.reduce((sum, { waves }) => sum + waves, 0);
    expect(await flood('mill.wave', 6)).toEqual({ ok: 7, rate_limited: 11 });
    expect(handlers.reduce((sum, { waves }) => sum + waves, 0) - before).toBe(7);
  });

  it('counts connections by themselves, and takes the narrowest limit', async () => {
    expect(await flood('mill.look', 5)).toEqual({ ok: 6, rate_limited: 9 });
  });

  it('is obeyed by the SDK: numbered commands wait, go on in order, and take effect once', async () => {
    const [watcher] = members;
    const client = new WssClient(`${cluster.nodes[1]!.url}?user=eve`, { WebSocket: WebSocket as never });
    try {
      const mill = client.room(room);
      const sent = Array.from({ length: 12 }, (_, by) => mill.command('mill.tick', { by }));
      await Promise.all(sent);
      const turned = await watcher!.events(...Array.from({ length: 12 }, () => 'mill.turned'));
      expect(turned.map(({ data }) => (data as Count).by)).toEqual(Array.from({ length: 12 }, (_, by) => by));
      const late = mill.command('mill.turn', { by: 1 });
      await late;
    } finally {
      client.close();
    }
  });

  it('fails a command of the SDK when its time ends before the wait', async () => {
    await flood('mill.fail', 4);
    const client = new WssClient(`${cluster.nodes[1]!.url}?user=eve`, { WebSocket: WebSocket as never });
    try {
      await expect(client.room(room).command('mill.fail', {}, { timeoutMs: 300 })).rejects.toMatchObject({
        name: 'WssError',
      });
    } finally {
      client.close();
    }
  });
});

function moduleWith(options: object, inRoom: boolean): Type<object> {
  class Handlers {
    @SubscribeMessage('x.do')
    @RateLimit(options as RateLimitOptions)
    do(): null {
      return null;
    }
  }
  if (inRoom) RoomType('x', {})(Handlers);
  @Module({ providers: [Handlers] })
  class XModule {}
  return XModule;
}

it.each([
  [{ per: 'room', limit: 1, windowMs: 1_000 }, false, "per: 'room' needs a room"],
  [{ per: 'room', overRooms: true, limit: 1, windowMs: 1_000 }, true, "overRooms needs per: 'user'"],
  [{ per: 'user', overRooms: 'all', limit: 1, windowMs: 1_000 }, true, 'overRooms must be true or false'],
  [{ per: 'all', limit: 1, windowMs: 1_000 }, true, 'per must be'],
  [{ per: 'room', limit: 0, windowMs: 1_000 }, true, 'limit must be an integer from 1'],
  [{ per: 'room', limit: 1.5, windowMs: 1_000 }, true, 'limit must be an integer from 1'],
  [{ per: 'client', limit: 1, windowMs: 0 }, true, 'windowMs must be an integer from 1'],
  [{ per: 'client', limit: 5_000, windowMs: 1 }, true, 'windowMs must be a microsecond'],
] as const)('a boot fails with %j', async (options, inRoom, message) => {
  const start = FeatureCluster.start({ features: [moduleWith(options, inRoom)], nodes: 1 });
  await expect(start).rejects.toThrow(message);
});
