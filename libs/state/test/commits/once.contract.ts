import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { GatewayError } from '@wss/core';
import { newSeed, Random } from '@wss/testing';
import {
  appendWork,
  Committer,
  DocumentRegistry,
  DocumentType,
  type RoomScope,
  RoomStateRepository,
  type RoomStore,
  StoreError,
} from '../../src/index.js';
import { Tally } from './committer.contract.js';
import type { ClockedStore } from '../store/clocked-stores.js';

const DAY = 86_400_000;
const NODES = 3;
/** Keys as clients may write them; no two are the same. */
const KEYS = [
  ...[
    'a',
    'A',
    'a ',
    ' ',
    '0',
    '-',
    '|',
    'a|b|c',
    '{a}',
    '}:x',
    '*',
    '@n.1',
    '!a',
    '__proto__',
    'constructor',
  ],
  ...[
    '\n',
    'a\r\nb',
    '\x00',
    '\x010\x02',
    '\ud800',
    '\ud801',
    '\udfff',
    '\ufffd',
    '\u00e9',
    'e\u0301',
    '💥',
    '\u2028',
  ],
  ...['null', 'undefined', 'x'.repeat(254), 'x'.repeat(255)],
];
const BODIES = [undefined, 'b', { by: 1 }, { by: 2 }, [1], '\ud800', '\ud801', 'undefined', [undefined, 1]];
const USERS = [undefined, 'ann', 'bob', 'a","b'];

type Act = 'add' | 'nothing' | 'not found' | 'busy' | 'too large';
interface Call {
  readonly node: number;
  readonly key: string;
  readonly user: number;
  readonly body: number;
  readonly act: Act;
  readonly by: number;
  readonly id: string;
}
type Answer = { readonly id: string } | { readonly code: string };

/** The first use of a key. */
interface Used {
  readonly user: number;
  readonly body: number;
  readonly answer: Answer;
}
interface Model {
  readonly used: Map<string, Used>;
  value: number;
}

const FINAL: Partial<Record<Act, string>> = { 'not found': 'not_found', 'too large': 'too_large' };

const types = {
  of: () => ({ type: 'tally', history: { events: 100_000, ttlMs: DAY }, idleTtlMs: 0 }),
};

/** A room, its nodes and the model of what they have done. */
class Run {
  readonly room = `tally:${randomUUID()}`;
  model: Model = { used: new Map(), value: 0 };
  kept: Model | undefined;
  /** How many answers of commits get lost now. */
  losing = 0;
  now = Date.now();
  readonly counts: Record<string, number> = {};
  private nodes: { committer: Committer; tallies: RoomStateRepository<Tally> }[] = [];

  constructor(
    private readonly engine: ClockedStore,
    private readonly random: Random,
    private readonly most = 10_000,
  ) {}

  /** New nodes under a clock. */
  async start(): Promise<void> {
    this.close();
    await this.engine.setTime(this.room, this.now * 1_000);
    const began = performance.now();
    this.nodes = Array.from({ length: NODES }, () => {
      const store = this.store();
      // A steady clock that stands still, so that the engine's time is the run's.
      const options = { nodeId: randomUUID(), patienceMs: 30_000, now: () => began };
      const committer = new Committer(store, types, options);
      return {
        committer,
        tallies: new RoomStateRepository(new DocumentType(Tally), {
          store,
          committer,
          documents: new DocumentRegistry(),
        }),
      };
    });
  }

  close(): void {
    for (const { committer } of this.nodes) committer.close();
  }

  /** The engine's store as a node has it. */
  private store(): RoomStore {
    const store = Object.create(this.engine.store) as RoomStore;
    store.time = async () => this.now;
    store.commit = async (request) => {
      const entries = request.entries.map((entry) =>
        entry.lane.once ? { ...entry, lane: { ...entry.lane, once: { most: this.most } } } : entry,
      );
      const reply = await this.engine.store.commit({ ...request, entries });
      if (this.losing === 0 || request.judgeOnly) return reply;
      this.losing--;
      throw new StoreError('unknown', 'the answer was lost');
    };
    return store;
  }

  async step(): Promise<void> {
    const { random, engine } = this;
    const dice = random.below(20);
    if (dice === 0) {
      this.kept = { used: new Map(this.model.used), value: this.model.value };
      return engine.checkpoint();
    }
    if (dice === 1 && this.kept) {
      [this.model, this.kept] = [this.kept, undefined];
      return engine.loseSinceCheckpoint();
    }
    if (dice === 2) {
      // All keys of before are still kept: 20 of these are 20 hours.
      this.now += random.below(1_200_000);
      return this.start();
    }
    this.losing = random.below(4) === 0 ? 1 + random.below(3) : 0;
    const keys = Array.from({ length: 1 + random.below(3) }, () => random.pick(KEYS));
    await this.race(Array.from({ length: 1 + random.below(8) }, () => this.callOf(random.pick(keys))));
  }

  private callOf(key: string): Call {
    const { random, model } = this;
    const used = model.used.get(key);
    const same = used && random.below(3) > 0;
    return {
      node: random.below(NODES),
      key,
      user: same ? used.user : random.below(random.below(3) === 0 ? USERS.length : 1),
      body: same ? used.body : random.below(random.below(3) === 0 ? BODIES.length : 1),
      act: random.pick(['add', 'add', 'add', 'nothing', 'not found', 'busy', 'too large']),
      by: 1 + random.below(9),
      id: randomUUID(),
    };
  }

  async call({ node, key, user, body, act, by, id }: Call): Promise<Answer> {
    const scope: RoomScope = { room: this.room, user: USERS[user], once: key, body: BODIES[body] };
    const work = this.nodes[node]!.tallies.update(scope, (tally, room) => {
      if (act === 'busy') throw new GatewayError('rate_limited', 'later');
      if (act === 'not found') throw new GatewayError('not_found', 'gone');
      if (act === 'too large') return { id, x: 'x'.repeat(5_000) };
      if (act === 'nothing') return { id };
      tally.value += by;
      room.append('tally.added', { id, by });
      return { id };
    });
    return work.catch((error: unknown) => {
      if (!(error instanceof GatewayError)) throw error;
      return { code: error.code };
    });
  }

  /** An update under a key, as it ends. */
  update(key: string): Promise<unknown> {
    return this.nodes[0]!.tallies.update({ room: this.room, once: key }, (tally) => ++tally.value);
  }

  /** Appends an event; returns its number or the error's code. */
  append(
    node: number,
    scope: RoomScope,
    event: { readonly event: string; readonly data: unknown },
  ): Promise<unknown> {
    return this.nodes[node]!.committer.perform(appendWork(scope, event)).then(
      ({ position }) => position.seq,
      ({ code }: GatewayError) => code,
    );
  }

  /** Calls at once; then each answer must be the one that some order of them gives. */
  async race(calls: readonly Call[]): Promise<void> {
    const answers = await Promise.all(calls.map((call) => this.call(call)));
    for (const key of new Set(calls.map((call) => call.key))) {
      const indices = calls.flatMap((call, i) => (call.key === key ? [i] : []));
      this.judge(
        key,
        indices.map((i) => ({ call: calls[i]!, answer: answers[i]! })),
      );
    }
    const { value } = await this.nodes[0]!.tallies.read({ room: this.room });
    expect(value.value).toBe(this.model.value);
  }

  private judge(key: string, told: { readonly call: Call; readonly answer: Answer }[]): void {
    const { used } = this.model;
    const first = used.get(key) ?? this.firstOf(told);
    for (const { call, answer } of told) {
      const isSame = first?.user === call.user && first.body === call.body;
      const wanted = isSame ? first.answer : first ? { code: 'number_reused' } : { code: 'rate_limited' };
      // One that was refused for now may have come before the first that was not.
      const mayBeEarlier = call.act === 'busy' && !used.has(key);
      const isEarlier = mayBeEarlier && 'code' in answer && answer.code === 'rate_limited';
      if (!isEarlier) expect({ key, call, answer }).toEqual({ key, call, answer: wanted });
      const what = 'code' in answer ? answer.code : answer.id === call.id ? 'first' : 'repeat';
      this.counts[what] = (this.counts[what] ?? 0) + 1;
    }
    if (first) used.set(key, first);
  }

  /** The call that took the key; undefined if every one was refused for now. */
  private firstOf(told: { readonly call: Call; readonly answer: Answer }[]): Used | undefined {
    const own = told.find(({ call, answer }) => 'id' in answer && answer.id === call.id);
    const failed = told.find(
      ({ call, answer }) => 'code' in answer && answer.code === FINAL[call.act] && call.act in FINAL,
    );
    const winner = own ?? failed;
    if (!winner) return undefined;
    const { call, answer } = winner;
    if (own && call.act === 'add') this.model.value += call.by;
    return { user: call.user, body: call.body, answer };
  }

  /** The events of the log, which each effect has once. */
  async logged(): Promise<number> {
    const limits = { entries: 100_000, bytes: 1e9 };
    const { entries } = await this.engine.store.resume({
      ...{ room: this.room, idleTtlMs: 0, newest: 100_000, limits },
    });
    return entries
      .flatMap(({ events }) => events.map(({ data }) => JSON.parse(data) as { by: number }))
      .reduce((sum, { by }) => sum + by, 0);
  }
}

/**
 * Random calls of random keys, each answer judged by a model.
 * @returns how often each answer came up
 * @throws Error that names the seed and shows what is wrong
 */
export async function compareKeys(engine: ClockedStore, seed: number): Promise<Record<string, number>> {
  const run = new Run(engine, new Random(seed));
  try {
    await run.start();
    for (let step = 0; step < 40; step++) await run.step();
    expect(await run.logged()).toBe(run.model.value);
    return run.counts;
  } catch (error) {
    throw new Error(`CHAOS_SEED=${seed}: ${String(error)}`, { cause: error });
  } finally {
    run.close();
  }
}

/** Writes that take effect once for a key, on any engine, compared with a model. */
export function onceContract(name: string, create: () => Promise<ClockedStore>): void {
  describe(`keys that take effect once on ${name}`, () => {
    let engine: ClockedStore;
    beforeAll(async () => {
      engine = await create();
    });
    afterAll(() => engine?.stop());

    it('R10: give the first answer again, whoever calls when and where, whatever is lost', async () => {
      const seed = newSeed();
      const counts: Record<string, number> = {};
      for (let i = 0; i < 10; i++) {
        for (const [kind, count] of Object.entries(await compareKeys(engine, seed + i)))
          counts[kind] = (counts[kind] ?? 0) + count;
      }
      for (const kind of ['first', 'repeat', 'number_reused', 'not_found', 'too_large', 'rate_limited'])
        expect({ kind, often: (counts[kind] ?? 0) > 10 }).toEqual({ kind, often: true });
    }, 300_000);

    it('refuse a further key when the room keeps as many as it may, until the first of them is over', async () => {
      const run = new Run(engine, new Random(1), 3);
      const at = run.now;
      const add = (key: string): Promise<Answer> =>
        run.call({ node: 0, key, user: 0, body: 0, act: 'add', by: 1, id: key });
      const waitOf = async (key: string): Promise<number> => {
        const error: unknown = await run.update(key).catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ code: 'rate_limited' });
        return ((error as GatewayError).details as unknown as { retryInMs: number }[])[0]!.retryInMs;
      };
      try {
        for (const [index, key] of ['a', 'b', 'c'].entries()) {
          run.now = at + index * 1_000;
          await run.start();
          expect(await add(key)).toEqual({ id: key });
        }
        expect(await waitOf('d')).toBe(DAY - 2_000);
        // A key that is kept is answered, and what needs no key goes on.
        expect(
          await run.call({ node: 1, key: 'a', user: 0, body: 0, act: 'add', by: 1, id: 'again' }),
        ).toEqual({
          id: 'a',
        });
        run.now = at + DAY - 1;
        await run.start();
        expect(await waitOf('d')).toBe(1);
        run.now = at + DAY;
        await run.start();
        expect(await add('d')).toEqual({ id: 'd' });
        expect(await waitOf('e')).toBe(1_000);
        // Of two at once one has a place.
        run.now = at + DAY + 1_000;
        await run.start();
        const both = await Promise.all([add('e'), add('f')]);
        expect(both).toEqual([{ id: 'e' }, { code: 'rate_limited' }]);
      } finally {
        run.close();
      }
    }, 60_000);

    it('R36: say that nobody knows what was done where the room was lost and the key was not', async () => {
      const run = new Run(engine, new Random(1));
      const call = { node: 0, key: 'k', user: 0, body: 0, act: 'add', by: 1, id: 'x' } as const;
      await run.start();
      try {
        expect(await run.call(call)).toEqual({ id: 'x' });
        await engine.loseMeta(run.room);
        for (const node of [0, 1])
          expect(await run.call({ ...call, node })).toEqual({ code: 'unknown_outcome' });
        expect(await run.call({ ...call, key: 'l' })).toEqual({ id: 'x' });
        expect(await run.logged()).toBe(2);
      } finally {
        run.close();
      }
    });

    it('refuse keys of another form, and do nothing', async () => {
      const run = new Run(engine, new Random(1));
      await run.start();
      try {
        for (const key of ['', 'x'.repeat(256), 5, null, ['a'], {}]) {
          const answer = await run.call({
            ...{ node: 0, key: key as string, user: 0, body: 0, act: 'add', by: 1, id: 'x' },
          });
          expect([key, answer]).toEqual([key, { code: 'invalid' }]);
        }
        expect(await run.logged()).toBe(0);
      } finally {
        run.close();
      }
    });

    it('hold for events that are appended, whose name and data belong to the key', async () => {
      const run = new Run(engine, new Random(1));
      await run.start();
      const append = (node: number, data: object, event = 'tally.noted', once = 'k'): Promise<unknown> =>
        run.append(node, { room: run.room, once }, { event, data });
      try {
        const answers = await Promise.all([0, 1, 2, 0].map((node) => append(node, { by: 1 })));
        expect(answers).toEqual([1, 1, 1, 1]);
        expect(await append(1, { by: 2 })).toBe('number_reused');
        expect(await append(1, { by: 1 }, 'tally.other')).toBe('number_reused');
        expect(await append(1, { by: 2 }, 'tally.noted', 'l')).toBe(2);
        expect(await run.update('k').catch(({ code }: GatewayError) => code)).toBe('number_reused');
        expect(await run.logged()).toBe(3);
      } finally {
        run.close();
      }
    });
  });
}
