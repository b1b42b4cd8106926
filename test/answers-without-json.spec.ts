import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { Command, CurrentCommand, RateLimit, Rooms, RoomType, WssModule } from '@wss/nest';
import { FeatureCluster, newSeed, Random, type TestClient } from '@wss/testing';
import { IsIn } from 'class-validator';
import { of } from 'rxjs';

const HOUR = 3_600_000;
const VALUES = ['big', 'circle', 'failing'] as const;
const WAYS = ['now', 'later', 'observed'] as const;
const EVENTS = ['mill.free', 'mill.client', 'mill.room', 'mill.user', 'mill.rooms'] as const;

class Wish {
  @IsIn(VALUES)
  value!: (typeof VALUES)[number];

  @IsIn(WAYS)
  way!: (typeof WAYS)[number];
}

function valueOf({ value }: Wish): unknown {
  if (value === 'big') return { n: 5n };
  if (value === 'failing') return { toJSON: (): never => JSON.parse('{') as never };
  const circle: { self?: unknown } = {};
  circle.self = circle;
  return circle;
}

function answer(wish: Wish): unknown {
  const value = valueOf(wish);
  if (wish.way === 'observed') return of(value);
  return wish.way === 'now' ? value : new Promise((resolve) => setImmediate(resolve, value));
}

@RoomType('mill', {})
class MillHandlers {
  @SubscribeMessage('mill.free')
  free(@MessageBody() wish: Wish): unknown {
    return answer(wish);
  }

  @SubscribeMessage('mill.client')
  @RateLimit({ per: 'client', limit: 1_000, windowMs: HOUR })
  client(@MessageBody() wish: Wish): unknown {
    return answer(wish);
  }

  @SubscribeMessage('mill.room')
  @RateLimit({ per: 'room', limit: 1_000, windowMs: HOUR })
  room(@MessageBody() wish: Wish): unknown {
    return answer(wish);
  }

  @SubscribeMessage('mill.user')
  @RateLimit({ per: 'user', limit: 1_000, windowMs: HOUR })
  user(@MessageBody() wish: Wish): unknown {
    return answer(wish);
  }

  @SubscribeMessage('mill.rooms')
  @RateLimit({ per: 'user', limit: 1_000, windowMs: HOUR, overRooms: true })
  rooms(@MessageBody() wish: Wish): unknown {
    return answer(wish);
  }
}

/** Their first command commits, so that the limit of later ones is expected to be charged by their commit. */
@RoomType('press', {})
class PressHandlers {
  constructor(private readonly rooms: Rooms) {}

  @SubscribeMessage('press.now')
  @RateLimit({ per: 'room', limit: 1_000, windowMs: HOUR })
  now(@MessageBody() wish: Wish, @CurrentCommand() command: Command): unknown {
    return this.print(wish, command);
  }

  @SubscribeMessage('press.later')
  @RateLimit({ per: 'room', limit: 1_000, windowMs: HOUR })
  later(@MessageBody() wish: Wish, @CurrentCommand() command: Command): unknown {
    return this.print(wish, command);
  }

  @SubscribeMessage('press.observed')
  @RateLimit({ per: 'room', limit: 1_000, windowMs: HOUR })
  observed(@MessageBody() wish: Wish, @CurrentCommand() command: Command): unknown {
    return this.print(wish, command);
  }

  private print(wish: Wish, command: Command): unknown {
    const isFirst = !printed.has(command.event);
    printed.add(command.event);
    return isFirst ? this.rooms.to(command.room!).append(command, 'press.printed', {}) : answer(wish);
  }
}

let printed = new Set<string>();

@Module({ imports: [WssModule.forFeature([])], providers: [MillHandlers, PressHandlers] })
class MillModule {}

describe.each(['memory', 'redis'] as const)('answers that have no JSON, on %s', (engine) => {
  let cluster: FeatureCluster;
  let client: TestClient;

  beforeAll(async () => {
    printed = new Set();
    cluster = await FeatureCluster.start({ features: [MillModule], nodes: 1, engine, logger: false });
    client = await cluster.connect('ann', { protocols: ['wss.v1'] });
    await client.event('$hello');
    await client.join('mill:1');
    await client.join('press:1');
  });
  afterAll(() => cluster?.stop());

  it('are internal errors, whatever limits the event has, and nothing else is lost', async () => {
    const seed = newSeed();
    const random = new Random(seed);
    const kinds = EVENTS.flatMap((event) =>
      VALUES.flatMap((value) => WAYS.map((way) => ({ event, wish: { value, way } }))),
    );
    for (let i = 0; i < 3 * kinds.length; i++) {
      const { event, wish } = kinds[i] ?? random.pick(kinds);
      // Such an error leaves the number open.
      const number = random.below(2) === 0 ? { n: 1 } : {};
      const { error } = await client.request(event, wish, { room: 'mill:1', ...number });
      expect([seed, event, wish, number, error?.code]).toEqual([seed, event, wish, number, 'internal']);
    }
    expect((await client.request('$ping', {})).error).toBeUndefined();
  });

  it.each(WAYS)('are internal errors where a commit was expected, if they come %s', async (way) => {
    const print = (): ReturnType<TestClient['request']> =>
      client.request(`press.${way}`, { way, value: 'big' }, { room: 'press:1' });
    expect((await print()).error).toBeUndefined();
    expect((await print()).error?.code).toBe('internal');
    expect((await print()).error?.code).toBe('internal');
  });
});
