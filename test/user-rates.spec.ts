import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Module } from '@nestjs/common';
import { ConnectedSocket, MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { WssClient } from '@wss/client';
import {
  Client,
  Command,
  CurrentCommand,
  InjectState,
  RateLimit,
  RoomDocument,
  RoomType,
  StateRepository,
  WssModule,
} from '@wss/nest';
import { FeatureCluster, type TestClient, TestRoom } from '@wss/nest/testing';
import { PartStore } from '@wss/state';
import { eventually, newSeed, Random } from '@wss/testing';
import { IsInt } from 'class-validator';
import { WebSocket } from 'ws';

const HOUR = 3_600_000;
const LIMIT = 20;
const FAR = 100;
/** Two seconds without use, one for the timer, and one for which a refusal is believed; and a busy machine. */
const RETURNED = { withinMs: 30_000 };

class Step {
  @IsInt()
  by!: number;
}

@RoomDocument('hill')
class Hill {
  @IsInt({ each: true })
  steps: number[] = [];
}

/** Commands without a room. */
class WalkHandlers {
  walked: string[] = [];

  @SubscribeMessage('walk.step')
  @RateLimit({ per: 'user', limit: LIMIT, windowMs: HOUR })
  step(@ConnectedSocket() { user }: Client, @MessageBody() step: Step): Step {
    this.walked.push(user);
    return { by: step.by };
  }

  @SubscribeMessage('walk.twice')
  @RateLimit({ per: 'user', limit: 7, windowMs: HOUR })
  @RateLimit({ per: 'user', limit: 9, windowMs: 2 * HOUR })
  @RateLimit({ per: 'client', limit: 5, windowMs: HOUR })
  twice(@ConnectedSocket() { user }: Client): string {
    return user;
  }

  @SubscribeMessage('walk.far')
  @RateLimit({ per: 'user', limit: FAR, windowMs: HOUR })
  far(): void {}

  @SubscribeMessage('walk.soon')
  @RateLimit({ per: 'user', limit: FAR, windowMs: 120_000 })
  soon(): void {}

  @SubscribeMessage('walk.free')
  free(@ConnectedSocket() { user }: Client): string {
    return user;
  }
}

@RoomType('hill', { events: { 'hill.climbed': Step } })
class HillHandlers {
  looks = 0;

  constructor(@InjectState(Hill) private readonly hills: StateRepository<Hill>) {}

  @SubscribeMessage('hill.climb')
  @RateLimit({ per: 'user', overRooms: true, limit: LIMIT, windowMs: HOUR })
  climb(@MessageBody() { by }: Step, @CurrentCommand() command: Command): Promise<number> {
    return this.add(by, command);
  }

  @SubscribeMessage('hill.look')
  @RateLimit({ per: 'user', overRooms: true, limit: LIMIT, windowMs: HOUR })
  look(@MessageBody() { by }: Step): Step {
    this.looks++;
    return { by };
  }

  @SubscribeMessage('hill.tick')
  @RateLimit({ per: 'user', overRooms: true, limit: 3, windowMs: 300 })
  tick(@MessageBody() { by }: Step, @CurrentCommand() command: Command): Promise<number> {
    return this.add(by, command);
  }

  private add(by: number, command: Command): Promise<number> {
    return this.hills.update(command, (hill, room) => {
      hill.steps.push(by);
      room.append('hill.climbed', { by });
      return hill.steps.length;
    });
  }
}

@Module({ imports: [WssModule.forFeature([Hill])], providers: [WalkHandlers, HillHandlers] })
class HillModule {}

type Codes = Record<string, number>;

describe.each(['memory', 'redis'] as const)("a user's limit over rooms, on three nodes over %s", (engine) => {
  let cluster: FeatureCluster;
  let user: string;
  let users = 0;
  let clients: TestClient[];
  beforeAll(async () => {
    cluster = await FeatureCluster.start({ features: [HillModule], nodes: 3, engine });
  });
  afterAll(() => cluster?.stop());
  beforeEach(async () => {
    user = `u${++users}`;
    clients = await Promise.all([0, 1, 2].map((node) => cluster.connect(user, { node, session: true })));
  });

  const handlers = <T>(type: new (...args: never[]) => T): T[] => cluster.nodes.map((node) => node.get(type));

  /** Sends so many of each client at once; resolves with the codes of all answers. */
  async function flood(event: string, each: number, from = clients): Promise<Codes> {
    const sent = from.flatMap((client) =>
      Array.from({ length: each }, (_, by) => client.request(event, { by })),
    );
    const codes: Codes = {};
    for (const { error } of await Promise.all(sent)) {
      const code = error?.code ?? 'ok';
      codes[code] = (codes[code] ?? 0) + 1;
      if (code !== 'rate_limited') continue;
      expect(error).toMatchObject({ retry: true, details: [{ retryInMs: expect.any(Number) }] });
      const [{ retryInMs }] = error!.details as [{ retryInMs: number }];
      expect(retryInMs).toBeGreaterThan(0);
      expect(retryInMs).toBeLessThan(1.2 * HOUR * 2);
    }
    return codes;
  }

  const hillsOf = (event: string): Promise<TestRoom[]> =>
    Promise.all(clients.map((client, index) => TestRoom.join(client, `hill:${event}${user}.${index}`)));

  it('admits exactly so many from all nodes together, and runs no handler beyond', async () => {
    const ran = (): number =>
      handlers(WalkHandlers).reduce(
        (sum, { walked }) => sum + walked.filter((one) => one === user).length,
        0,
      );
    expect(await flood('walk.step', 15)).toEqual({ ok: LIMIT, rate_limited: 45 - LIMIT });
    expect(ran()).toBe(LIMIT);
    const other = await cluster.connect(`other of ${user}`);
    expect(await flood('walk.step', 5, [other])).toEqual({ ok: 5 });
  });

  it('counts together where a command comes now here, now there', async () => {
    const random = new Random(newSeed());
    let done = 0;
    for (let i = 0; i < LIMIT + 15; i++) {
      const { error } = await random.pick(clients).request('walk.step', { by: i });
      if (!error) done++;
      else expect(error.code).toBe('rate_limited');
    }
    // A node may keep one that it did not use.
    expect(done).toBeLessThanOrEqual(LIMIT);
    expect(done).toBeGreaterThanOrEqual(LIMIT - 2);
  });

  /** Sends so many, some at a time, now to this node, now to that one; resolves with the number that was admitted. */
  async function load(event: string, count: number, random: Random): Promise<number> {
    let done = 0;
    for (let left = count; left > 0;) {
      const burst = Math.min(left, 1 + random.below(9));
      const { ok = 0 } = await flood(event, burst, [random.pick(clients)]);
      done += ok;
      left -= burst;
    }
    return done;
  }

  it('gives a user all of it under random load, wherever the last ones come', async () => {
    const random = new Random(newSeed());
    let done = await load('walk.soon', 80, random);
    const last = random.pick(clients);
    // Other nodes give back parts that they do not use.
    await eventually(async () => {
      done += (await flood('walk.soon', 5, [last])).ok ?? 0;
      expect(done).toBe(FAR);
    }, RETURNED);
    expect(await flood('walk.soon', 5)).toEqual({ rate_limited: 15 });
  }, 60_000);

  it('lets through no more than it and what a lost tail had granted, under random load', async () => {
    const random = new Random(newSeed());
    let granted = 0;
    for (const node of cluster.nodes) {
      const store = node.get<PartStore>(PartStore as never);
      const take = store.take.bind(store);
      jest.spyOn(store, 'take').mockImplementation(async (request) => {
        const reply = await take(request);
        if ('count' in reply) granted += reply.count;
        return reply;
      });
    }
    const early = await load('walk.far', random.below(30), random);
    granted = 0;
    let lost = 0;
    await cluster.loseTail(async () => {
      lost = await load('walk.far', 10 + random.below(40), random);
    });
    const lostGrants = granted;
    jest.restoreAllMocks();
    const late = await load('walk.far', 2 * FAR, random);
    expect(early + lost + late).toBeGreaterThanOrEqual(FAR);
    expect(early + lost + late).toBeLessThanOrEqual(FAR + lostGrants);
  });

  it('takes the narrowest of several limits, and charges none when another refuses', async () => {
    const [first, second] = clients;
    expect(await flood('walk.twice', 8, [first!])).toEqual({ ok: 5, rate_limited: 3 });
    expect(await flood('walk.twice', 8, [second!])).toEqual({ ok: 2, rate_limited: 6 });
  });

  it('counts in several rooms together, numbered and not', async () => {
    const hills = await hillsOf('climb');
    const sent = hills.flatMap((hill) =>
      Array.from({ length: 6 }, (_, by) => hill.request('hill.climb', { by }, { n: by + 1 })),
    );
    for (const { error } of await Promise.all(sent)) expect(error).toBeUndefined();
    const more = await Promise.all(hills.map((hill) => hill.request('hill.climb', { by: 7 })));
    expect(more.filter(({ error }) => !error)).toHaveLength(2);
    expect(more.find(({ error }) => error)!.error).toMatchObject({ code: 'rate_limited' });
  });

  it.each(['hill.climb', 'hill.look'])(
    'answers a repeat of %s from its record, also beyond the limit',
    async (event) => {
      const [hill, other] = await hillsOf(event);
      const first = await hill!.request(event, { by: 1 }, { n: 1 });
      expect(first.error).toBeUndefined();
      const repeat = async (): Promise<void> => {
        const again = await hill!.request(event, { by: 1 }, { n: 1 });
        expect(again).toMatchObject({ data: first.data, dup: true });
      };
      for (let i = 0; i < 30; i++) await repeat();
      let done = 1;
      for (let i = 0; i < LIMIT; i++) {
        const { error } = await other!.request(event, { by: 1 });
        if (!error) done++;
      }
      expect(done).toBeGreaterThanOrEqual(LIMIT - 1);
      expect(done).toBeLessThanOrEqual(LIMIT);
      await hill!.client.reconnect(cluster.nodes[2]!.url);
      await repeat();
      // The number stays next.
      for (const by of [2, 3]) {
        const { error } = await hill!.request(event, { by }, { n: 2 });
        if (done === LIMIT) expect(error).toMatchObject({ code: 'rate_limited' });
      }
    },
  );

  it('is obeyed by the SDK: numbered commands wait, go on in order, and take effect once', async () => {
    const watcher = await cluster.join('watcher', `hill:${user}`);
    const client = new WssClient(`${cluster.nodes[1]!.url}?user=${user}`, { WebSocket: WebSocket as never });
    try {
      const hill = client.room(`hill:${user}`);
      await Promise.all(Array.from({ length: 10 }, (_, by) => hill.command('hill.tick', { by })));
      const climbed = await watcher.events(...Array.from({ length: 10 }, () => 'hill.climbed'));
      expect(climbed.map(({ data }) => (data as Step).by)).toEqual(Array.from({ length: 10 }, (_, by) => by));
    } finally {
      client.close();
    }
  });

  it('says `unavailable` while the engine is out of reach, soon, and holds up nothing else', async () => {
    const [client] = clients;
    await cluster.outage(async () => {
      const refused = Array.from({ length: 30 }, (_, by) => client!.request('walk.step', { by }));
      expect(await client!.command('walk.free')).toBe(user);
      for (const { error } of await Promise.all(refused)) {
        expect(error).toMatchObject({ code: 'unavailable', retry: true });
      }
    });
    expect(await flood('walk.step', 15)).toMatchObject({ ok: LIMIT });
  });

  it('lets through no more than that and what a lost tail had granted', async () => {
    const early = await flood('walk.step', 2);
    let lost: Codes = {};
    await cluster.loseTail(async () => {
      lost = await flood('walk.step', 3);
    });
    const late = await flood('walk.step', 15);
    const all = (early['ok'] ?? 0) + (lost['ok'] ?? 0) + (late['ok'] ?? 0);
    expect(lost['ok']).toBe(9);
    // Each node may have been granted as many again as it had used.
    expect(all).toBeLessThanOrEqual(LIMIT + 2 * 9);
    expect((early['ok'] ?? 0) + (late['ok'] ?? 0)).toBeGreaterThanOrEqual(LIMIT - 3);
  });
});
