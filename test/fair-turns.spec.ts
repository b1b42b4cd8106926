import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import {
  Command,
  CurrentCommand,
  InjectState,
  RateLimit,
  RoomDocument,
  RoomType,
  StateRepository,
  WssModule,
} from '@wss/nest';
import { FeatureCluster, TestRoom } from '@wss/nest/testing';
import { eventually } from '@wss/testing';
import { IsInt } from 'class-validator';

/** Commands that the hostile client has sent before any is read. */
const FLOOD = 600;
/** Of one client, in one turn of the event loop as the test counts them: in two parts that meet. */
const MOST_COMMITS = 2 * 16;
const MOST_STARTS = 2 * 33;

const HOUR = 3_600_000;
/** A limit that nobody comes near. */
const MANY = 1_000_000;

class Turn {
  @IsInt()
  by!: number;
}

@RoomDocument('wheel')
class Wheel {
  @IsInt()
  turns = 0;
}

/** Turns of the event loop since the test began. */
let turn = 0;
let counting = false;

/** Work that was done for each user: the turn of the event loop, and the number of the command. */
interface Done {
  readonly turn: number;
  readonly by: number;
}

const started = new Map<string, Done[]>();
const committed = new Map<string, Done[]>();

function note(work: Map<string, Done[]>, user: string, by: number): void {
  const done = work.get(user) ?? [];
  work.set(user, done);
  done.push({ turn, by });
}

function mostPerTurn(done: readonly Done[] = []): number {
  const counts = new Map<number, number>();
  for (const one of done) counts.set(one.turn, (counts.get(one.turn) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}

@RoomType('wheel', {})
class WheelHandlers {
  constructor(@InjectState(Wheel) private readonly wheels: StateRepository<Wheel>) {}

  @SubscribeMessage('wheel.turn')
  async turn(@MessageBody() { by }: Turn, @CurrentCommand() command: Command): Promise<number> {
    note(started, command.user, by);
    const turns = await this.wheels.update(command, (wheel) => ++wheel.turns);
    note(committed, command.user, by);
    return turns;
  }

  @SubscribeMessage('wheel.look')
  @RateLimit({ per: 'room', limit: MANY, windowMs: HOUR })
  look(@MessageBody() { by }: Turn, @CurrentCommand() { user }: Command): void {
    note(committed, user, by);
  }

  @SubscribeMessage('wheel.think')
  @RateLimit({ per: 'user', overRooms: true, limit: MANY, windowMs: HOUR })
  think(@MessageBody() { by }: Turn, @CurrentCommand() { user }: Command): void {
    note(committed, user, by);
  }
}

@Module({ imports: [WssModule.forFeature([Wheel])], providers: [WheelHandlers] })
class WheelModule {}

describe.each(['memory', 'redis'] as const)('a burst over %s', (engine) => {
  let cluster: FeatureCluster;
  beforeAll(async () => {
    cluster = await FeatureCluster.start({ features: [WheelModule], nodes: 1, engine });
    counting = true;
    const count = (): void => {
      turn++;
      if (counting) setImmediate(count);
    };
    count();
  });
  afterAll(async () => {
    counting = false;
    await cluster?.stop();
  });

  it('of commits is worked off in parts, between which others have their turn', async () => {
    started.clear();
    committed.clear();
    const hostile = await cluster.join('hostile', 'wheel:1');
    const honest = await cluster.join('honest', 'wheel:1');
    for (let by = 0; by < FLOOD; by++) {
      hostile.client.send({ event: 'wheel.turn', room: 'wheel:1', data: { by } });
    }
    let asked = 0;
    do await honest.command('wheel.turn', { by: asked++ });
    while ((committed.get('hostile')?.length ?? 0) < FLOOD);
    await eventually(() => expect(hostile.document<Wheel>('wheel').turns).toBe(FLOOD + asked));
    expect(mostPerTurn(started.get('hostile'))).toBeLessThanOrEqual(MOST_STARTS);
    expect(mostPerTurn(committed.get('hostile'))).toBeLessThanOrEqual(MOST_COMMITS);
    requireOrder();
  });

  function requireOrder(): void {
    // In their order, though parts of them had to wait.
    const order = committed.get('hostile')!.map(({ by }) => by);
    expect(order).toEqual([...order].sort((a, b) => a - b));
  }

  it.each([
    ['commits in many rooms', 'wheel.turn', 100, MOST_COMMITS],
    ['commands that are charged to their room', 'wheel.look', 1, MOST_COMMITS],
    ['commands that are charged to many rooms', 'wheel.look', 100, MOST_COMMITS],
    ['commands that are charged to their user', 'wheel.think', 1, MOST_STARTS],
  ])('%s are worked off in parts', async (_what, event, rooms, most) => {
    committed.clear();
    const hostile = await cluster.connect('hostile');
    for (let i = 0; i < rooms; i++) await TestRoom.join(hostile, `wheel:${event}.${i}`);
    for (let by = 0; by < FLOOD; by++) {
      hostile.send({ event, room: `wheel:${event}.${by % rooms}`, data: { by } });
    }
    await eventually(() => expect(committed.get('hostile')).toHaveLength(FLOOD), { withinMs: 20_000 });
    expect(mostPerTurn(committed.get('hostile'))).toBeLessThanOrEqual(most);
    if (rooms === 1) requireOrder();
  });
});
