import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { GatewayError, type UserCharge, type UserLimit } from '@wss/core';
import { newSeed, Random } from '@wss/testing';
import { EngineUserRates, type PartStore, StoreError } from '../../src/index.js';
import type { LimitPart, PartReply, PartRequest } from '../../src/rates/part-store.js';

/** A store of users' limits whose clock the test sets. */
export interface UserLimitEngine {
  readonly store: PartStore;
  /** Sets the engine's clock for a limit of a user, µs since 1970. */
  setTime(user: string, limit: string, us: number): Promise<void>;
  checkpoint(): Promise<void>;
  loseSinceCheckpoint(): Promise<void>;
  stop(): Promise<void>;
}

/** A flaw that a planted bug gives the nodes. */
export interface NodeFlaw {
  /** The clock of a node, made of its steady one, ms. */
  readonly clock?: (steady: () => number) => () => number;
}

const LATER = Infinity;
/** Users whose names take keys apart, if anything does. */
const USERS = ['ann', 'a b', '{a}', 'a:b', '*', '\x01', '__proto__', 'ä€💥', '-', 'a}', "'"];

/** A node of the simulation. */
interface SimulatedNode {
  readonly rates: EngineUserRates;
}

/** A charge, of which part it is. */
type PartCharge = UserCharge & { readonly part: LimitPart };

/** Several nodes, users and limits under a clock that the test moves. */
export class Simulation {
  now = 1.7e15 + Math.floor(Math.random() * 1e12);
  limits: readonly UserLimit[];
  readonly users: readonly string[];
  readonly nodes: readonly SimulatedNode[];
  calls = 0;
  /** Commands that the engine gave away since the checkpoint, by limit and user. */
  given = new Map<string, number>();
  readonly lost = new Map<string, number>();
  /** True if calls fail now and then, and charges are taken back. */
  isFaulty: boolean;
  /** One of so many steps is an attack. */
  attackOneIn = 5;
  /** How much longer the engine's answers take, µs. */
  answerUs = 0;
  /** True while no call leaves the node. */
  isOut = false;
  /** How far the engine's clock was set ahead, µs. */
  stepUs = 0;
  /** How long the ways to the engine and back take at most, thousandths of the window. */
  latencies: readonly number[];
  private readonly successes = new Map<string, number[]>();
  /** Instants of parts → when the engine gave them. */
  private readonly judgedAt = new Map<number, number>();
  private line: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly engine: UserLimitEngine,
    readonly random: Random,
    flaw: NodeFlaw = {},
  ) {
    this.limits = Array.from({ length: random.pick([1, 1, 2]) }, (_, i) => ({
      name: `e${i}:${randomUUID()}`,
      limit: random.pick([1, 2, 5, 9, 30, 60, 100, 100]),
      windowMs: random.pick([50, 1_000, 60_000, 3_600_000]),
    }));
    this.users = random.pick([['ann'], ['ann', 'bob']]);
    this.latencies = random.pick([[0], [0], [0, 1], [0, 0, 1, 150]]);
    this.isFaulty = random.below(2) === 0;
    this.nodes = Array.from({ length: 3 }, () => this.newNode(flaw));
  }

  private newNode({ clock = (steady) => steady }: NodeFlaw): SimulatedNode {
    const aheadMs = this.random.below(1e6);
    const now = clock(() => this.now / 1_000 + aheadMs);
    const store: PartStore = { take: (request) => this.inLine(() => this.call(request)) };
    return { rates: new EngineUserRates(store, { now }) };
  }

  /** One call at a time, so that the engine's time is that of the call. */
  private inLine<T>(call: () => Promise<T>): Promise<T> {
    const called = this.line.then(call);
    this.line = called.catch(() => undefined);
    return called;
  }

  /** A call that takes its time on both ways, and may fail. */
  private async call(request: PartRequest): Promise<PartReply> {
    this.calls++;
    const latencyUs = this.random.pick(this.latencies) * request.windowMs;
    this.now += this.random.below(latencyUs + 1);
    const fault = this.isFaulty ? this.random.below(20) : -1;
    if (fault === 0 || this.isOut) throw new StoreError('unavailable', 'never sent');
    await this.engine.setTime(request.user, request.name, this.now + this.stepUs);
    const { now } = this;
    const reply = await this.engine.store.take(request);
    this.now += this.random.below(latencyUs + 1) + this.answerUs;
    if ('count' in reply) {
      const key = `${request.name} ${request.user}`;
      this.given.set(key, (this.given.get(key) ?? 0) + reply.count);
      this.judgedAt.set(reply.at, now);
    }
    if (fault === 1) throw new StoreError('unknown', 'the answer was lost');
    return reply;
  }

  /** Sends so many commands at once; returns the number of those that were let through. */
  async send(limit: UserLimit, user: string, nodes: readonly SimulatedNode[]): Promise<void> {
    const key = `${limit.name} ${user}`;
    const times = this.successes.get(key) ?? [];
    this.successes.set(key, times);
    const sent = nodes.map(async (node) => {
      const at = await this.sendOne(limit, user, node);
      if (at !== undefined) times.push(at);
    });
    await Promise.all(sent);
  }

  /** Sends so many commands at once to one node. */
  repeat(
    { limit, user }: { readonly limit: UserLimit; readonly user: string },
    count: number,
    node: SimulatedNode,
  ): Promise<void> {
    return this.send(
      limit,
      user,
      Array.from({ length: count }, () => node),
    );
  }

  /** The instant at which a command was let through, by the engine's clock; undefined if it was not. */
  private async sendOne(
    limit: UserLimit,
    user: string,
    { rates }: SimulatedNode,
  ): Promise<number | undefined> {
    const { now } = this;
    try {
      const answer = rates.take(limit, user, LATER);
      const charge = await answer;
      if (this.isFaulty && this.random.below(12) === 0) return void charge.refund();
      return answer instanceof Promise ? this.judgedAt.get((charge as PartCharge).part.at) : now;
    } catch (error) {
      this.requireRefusal(limit, error);
      return undefined;
    }
  }

  private requireRefusal({ windowMs }: UserLimit, error: unknown): void {
    expect(error).toBeInstanceOf(GatewayError);
    const { code, details } = error as GatewayError;
    if (this.isFaulty && code === 'unavailable') return;
    expect({ code, details }).toEqual({ code: 'rate_limited', details: [{ retryInMs: expect.any(Number) }] });
    const [{ retryInMs }] = details as [{ retryInMs: number }];
    expect(retryInMs).toBeGreaterThan(0);
    // An instant that stands for others near it comes later by the width of a slice.
    expect(retryInMs).toBeLessThanOrEqual(windowMs * 1.14 + 1);
  }

  async checkpoint(): Promise<void> {
    await this.engine.checkpoint();
    this.given = new Map();
  }

  async loseSinceCheckpoint(): Promise<void> {
    await this.engine.loseSinceCheckpoint();
    for (const [key, count] of this.given) this.lost.set(key, (this.lost.get(key) ?? 0) + count);
    this.given = new Map();
  }

  /** Commands of a user that were let through. */
  through({ name }: UserLimit, user: string): number {
    return this.successes.get(`${name} ${user}`)?.length ?? 0;
  }

  /** Commands that no window may have: the first one too many of each limit and user. */
  excess(): string[] {
    const found: string[] = [];
    for (const { name, limit, windowMs } of this.limits) {
      for (const user of this.users) {
        const key = `${name} ${user}`;
        const times = (this.successes.get(key) ?? []).toSorted((a, b) => a - b);
        const most = limit + (this.lost.get(key) ?? 0);
        const index = times.findIndex((at, i) => i >= most && at - times[i - most]! < windowMs * 1_000);
        if (index >= 0) found.push(`${user} has more than ${most} in ${windowMs} ms: command ${index}`);
      }
    }
    return found;
  }

  async step(): Promise<void> {
    const { random } = this;
    const limit = random.pick(this.limits);
    if (random.below(this.attackOneIn) === 0) return this.attack(limit, random.pick(this.users));
    const windowUs = limit.windowMs * 1_000;
    // Timers fire whenever they like.
    if (random.below(3) === 0) random.pick(this.nodes).rates.returnUnused();
    const waits = [
      0,
      0,
      random.below((3 * windowUs) / limit.limit),
      windowUs / 50,
      windowUs / 11,
      windowUs * 0.9,
    ];
    this.now += Math.floor(random.pick(waits));
    const nodes = Array.from({ length: random.pick([1, 1, 2, 3, 5, limit.limit]) }, () =>
      random.pick(this.nodes),
    );
    await this.send(limit, random.pick(this.users), nodes);
  }

  /** A node keeps a part while others use up the limit, and uses it late; then as many come as soon as may be. */
  private async attack(limit: UserLimit, user: string): Promise<void> {
    const { random } = this;
    const windowUs = limit.windowMs * 1_000;
    const [keeper, ...others] = this.nodes;
    const times = (count: number, nodes: readonly SimulatedNode[]): SimulatedNode[] =>
      Array.from({ length: count }, () => random.pick(nodes));
    // Half of the time from a limit of which nothing was used.
    this.now += random.pick([0, 1.2 * windowUs]);
    const begin = this.now;
    for (let i = 0; i < 5; i++) await this.send(limit, user, [keeper!]);
    await this.send(limit, user, times(2 * limit.limit, others));
    this.now += Math.floor((windowUs * random.pick([random.below(100), random.below(300)])) / 1_000);
    await this.send(limit, user, times(10, [keeper!]));
    const freeAt = begin + random.pick([1, 1.1]) * windowUs + random.below(windowUs / 100);
    this.now = Math.max(this.now, Math.floor(freeAt));
    await this.send(limit, user, times(2 * limit.limit, others));
  }

  /** A second passes on every node, so many times. */
  seconds(count: number): void {
    for (let i = 0; i < count; i++) {
      this.now += 1e6;
      for (const { rates } of this.nodes) rates.returnUnused();
    }
  }

  /** Nodes that are gone without a word. */
  close(): void {
    for (const { rates } of this.nodes) rates.forget();
  }
}

/** A simulation whose calls take no time and never fail. */
class QuietSimulation extends Simulation {
  override isFaulty = false;
  override latencies = [0];
}

/** Times of {@link lateUse}, ms: a part that is used shortly before its end, when it is over, and when it came late. */
export const LAST_MOMENT = [0, 95, 1_030] as const;
export const TOO_LATE = [0, 180, 1_100] as const;
export const LATE_ANSWER = [90, 180, 1_100] as const;

/**
 * A node uses its part late, then others use up what the engine has; returns what is too much.
 * @param times how late the engine's answer comes, when the part is used, and when others come, ms of a window of 1,000
 */
export async function lateUse(
  engine: UserLimitEngine,
  [answerMs, useMs, othersMs]: readonly [answer: number, use: number, others: number],
  flaw: NodeFlaw = {},
): Promise<string[]> {
  const simulation = new QuietSimulation(engine, new Random(newSeed()), flaw);
  const [keeper, other] = simulation.nodes;
  const limit = { name: randomUUID(), limit: 100, windowMs: 1_000 };
  simulation.limits = [limit];
  const begin = simulation.now;
  const send = (count: number, node = keeper!): Promise<void> =>
    simulation.repeat({ limit, user: 'ann' }, count, node);
  await send(40, other);
  // After three commands the node asks for four.
  for (let i = 0; i < 3; i++) await send(1);
  simulation.answerUs = answerMs * 1_000;
  await send(1);
  simulation.answerUs = 0;
  simulation.now = begin + useMs * 1_000;
  await send(3);
  simulation.now = begin + othersMs * 1_000 + 10;
  await send(200, other);
  simulation.close();
  return simulation.excess();
}

/** A node says long after its part is over that it did not use it; returns what is too much. */
export async function lateReturn(engine: UserLimitEngine): Promise<string[]> {
  const simulation = new QuietSimulation(engine, new Random(newSeed()));
  const [node, other] = simulation.nodes;
  const limit = { name: randomUUID(), limit: 5, windowMs: 60_000 };
  simulation.limits = [limit];
  (await node!.rates.take(limit, 'ann', LATER)).refund();
  simulation.now += 90e6;
  await simulation.repeat({ limit, user: 'ann' }, 9, other!);
  await simulation.send(limit, 'ann', [node!, node!]);
  simulation.close();
  return simulation.excess();
}

async function refusalOf(take: () => UserCharge | Promise<UserCharge>): Promise<unknown> {
  try {
    return await take();
  } catch (error) {
    return error;
  }
}

/** Limits of users over all rooms, on any engine, under a clock that the test sets. */
export function userRatesContract(name: string, create: () => Promise<UserLimitEngine>): void {
  describe(`limits of users over all rooms on ${name}`, () => {
    let engine: UserLimitEngine;
    beforeAll(async () => {
      engine = await create();
    });
    afterAll(() => engine?.stop());

    it('R30: let through no more than the limit in any window, over all nodes', async () => {
      const seed = newSeed();
      for (let i = 0; i < 8; i++) {
        const simulation = new Simulation(engine, new Random(seed + i));
        for (let step = 0; step < 30; step++) await simulation.step();
        simulation.close();
        expect({ seed: seed + i, excess: simulation.excess() }).toEqual({ seed: seed + i, excess: [] });
      }
    }, 120_000);

    it('let through no more where a part comes late, or is given back late', async () => {
      for (const times of [LAST_MOMENT, TOO_LATE, LATE_ANSWER])
        expect(await lateUse(engine, times)).toEqual([]);
      expect(await lateReturn(engine)).toEqual([]);
    });

    it('let through no more than that and what a lost tail had granted', async () => {
      const seed = newSeed();
      let lost = 0;
      for (let i = 0; i < 5; i++) {
        const simulation = new Simulation(engine, new Random(seed + i));
        for (let turn = 0; turn < 3; turn++) {
          for (let step = 0; step < 10; step++) await simulation.step();
          await simulation.checkpoint();
          for (let step = 0; step < 10; step++) await simulation.step();
          await simulation.loseSinceCheckpoint();
        }
        for (let step = 0; step < 10; step++) await simulation.step();
        simulation.close();
        expect({ seed: seed + i, excess: simulation.excess() }).toEqual({ seed: seed + i, excess: [] });
        lost += [...simulation.lost.values()].reduce((sum, count) => sum + count, 0);
      }
      expect(lost).toBeGreaterThan(5);
    }, 120_000);

    /** Sends at an even pace on one node over ten windows; returns the share that came through, and the calls for one. */
    async function pace(limit: UserLimit, perWindow: number): Promise<{ share: number; calls: number }> {
      const simulation = new QuietSimulation(engine, new Random(newSeed()));
      const [node] = simulation.nodes;
      const sent = 4 * perWindow;
      let through = 0;
      for (let i = 0; i < sent; i++) {
        try {
          await node!.rates.take(limit, 'eve', LATER);
          through++;
        } catch {
          // Refused.
        }
        simulation.now += Math.ceil((limit.windowMs * 1_000) / perWindow);
      }
      simulation.close();
      return { share: through / sent, calls: simulation.calls / sent };
    }

    it.each([
      [1, 60_000],
      [5, 10_000],
      [30, 1_000],
      [100, 60_000],
      [500, 60_000],
      [200, 3_600_000],
    ])(
      'let a user who sends as many as the limit says, %i in %i ms, have nearly all',
      async (limit, windowMs) => {
        const { share } = await pace({ name: randomUUID(), limit, windowMs }, limit);
        expect(share).toBeGreaterThanOrEqual(0.9);
      },
    );

    it('let a user have all of it, wherever and in whatever bursts the commands come', async () => {
      const random = new Random(newSeed());
      for (let i = 0; i < 10; i++) {
        const simulation = new QuietSimulation(engine, random);
        const limit = { name: randomUUID(), limit: 20 + random.below(180), windowMs: 3_600_000 };
        for (let sent = 0; sent < limit.limit + 20;) {
          const node = random.pick(simulation.nodes);
          const burst = 1 + random.below(15);
          sent += burst;
          await simulation.repeat({ limit, user: 'eve' }, burst, node);
          simulation.seconds(11);
        }
        expect(simulation.through(limit, 'eve')).toBe(limit.limit);
        simulation.close();
      }
    });

    it('let wait no longer than until a part that is at hand elsewhere is over', async () => {
      const simulation = new QuietSimulation(engine, new Random(newSeed()));
      const [keeper, other] = simulation.nodes;
      const limit = { name: randomUUID(), limit: 100, windowMs: 86_400_000 };
      const send = (count: number, node = other!): Promise<void> =>
        simulation.repeat({ limit, user: 'eve' }, count, node);
      // It asks for one, for two, and for four, of which it uses one.
      for (let i = 0; i < 4; i++) await send(1, keeper);
      await send(100);
      expect(simulation.through(limit, 'eve')).toBe(97);
      const refusal: unknown = await refusalOf(() => other!.rates.take(limit, 'eve', LATER));
      const [{ retryInMs }] = (refusal as GatewayError).details as [{ retryInMs: number }];
      expect(retryInMs).toBeLessThanOrEqual(62_000);
      simulation.seconds(Math.ceil(retryInMs / 1_000));
      await send(10);
      expect(simulation.through(limit, 'eve')).toBe(100);
      simulation.close();
    });

    it('have back what a node that stops did not use, and what it could not give back before', async () => {
      const simulation = new QuietSimulation(engine, new Random(newSeed()));
      const [first, second, other] = simulation.nodes;
      const limit = { name: randomUUID(), limit: 100, windowMs: 86_400_000 };
      const send = (count: number, node = other!): Promise<void> =>
        simulation.repeat({ limit, user: 'eve' }, count, node);
      for (const node of [first!, second!]) for (let i = 0; i < 4; i++) await send(1, node);
      await first!.rates.close();
      simulation.isOut = true;
      simulation.seconds(70);
      simulation.isOut = false;
      simulation.seconds(2);
      await send(100);
      expect(simulation.through(limit, 'eve')).toBe(100);
      simulation.close();
    });

    it('need a call for a small part of the commands of a user who is far from the limit', async () => {
      const { share, calls } = await pace({ name: randomUUID(), limit: 10_000, windowMs: 60_000 }, 600);
      expect(share).toBe(1);
      expect(calls).toBeLessThan(0.05);
    });

    it('R34: keep users apart, whatever their names', async () => {
      const simulation = new QuietSimulation(engine, new Random(1));
      const limits = ['e', 'e:x', '}', '{a}'].map((each) => ({
        name: `${each}:${randomUUID()}`,
        limit: 1,
        windowMs: 60_000,
      }));
      for (const limit of limits) {
        for (const user of USERS) {
          await simulation.nodes[0]!.rates.take(limit, user, LATER);
        }
      }
      simulation.close();
    });

    it('give a charge back where the command had its answer already', async () => {
      const simulation = new QuietSimulation(engine, new Random(1));
      const [node] = simulation.nodes;
      const limit = { name: randomUUID(), limit: 3, windowMs: 60_000 };
      const take = async (): Promise<UserCharge> => node!.rates.take(limit, 'ann', LATER);
      for (let i = 0; i < 10; i++) (await take()).refund();
      await Promise.all([take(), take(), take()]);
      await expect(take()).rejects.toMatchObject({ code: 'rate_limited' });
      simulation.close();
    });

    it('hold when the clock is set back: nobody waits much longer than a window', async () => {
      const simulation = new QuietSimulation(engine, new Random(1));
      const [node] = simulation.nodes;
      const limit = { name: randomUUID(), limit: 2, windowMs: 60_000 };
      const take = async (): Promise<UserCharge> => node!.rates.take(limit, 'ann', LATER);
      await Promise.all([take(), take()]);
      simulation.stepUs = -7_200e6;
      await expect(take()).rejects.toMatchObject({ code: 'rate_limited' });
      simulation.now += 66_001e3;
      await take();
      simulation.close();
    });
  });
}
