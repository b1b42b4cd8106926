import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { RateCharge } from '@wss/core';
import { newSeed, Random } from '@wss/testing';
import type { CommitEntry, Verdict } from '../../src/store/room-store.js';
import { entry } from './room-store.contract.js';
import type { ClockedStore } from './clocked-stores.js';

const DAY = 86_400_000;
const LANES = ['s1', 's2', 's3'];

/** A limit as a leaky bucket: the same rule in other words. */
class Bucket {
  private level = 0;
  private at = 0;

  constructor(readonly charge: RateCharge) {}

  /** How long to wait until it takes one more, µs; 0: it does. */
  waitUs(now: number): number {
    this.level = Math.max(0, this.level - (now - this.at));
    this.at = now;
    return Math.max(0, this.level + this.charge.stepUs - this.charge.burstUs);
  }

  take(): void {
    this.level += this.charge.stepUs;
  }

  copy(): Bucket {
    return Object.assign(new Bucket(this.charge), { level: this.level, at: this.at });
  }
}

interface Lane {
  readonly id: string;
  highest: number;
}

interface Model {
  readonly buckets: readonly Bucket[];
  readonly lanes: readonly Lane[];
}

function copyOf({ buckets, lanes }: Model): Model {
  return { buckets: buckets.map((bucket) => bucket.copy()), lanes: lanes.map((lane) => ({ ...lane })) };
}

function newModel(random: Random): Model {
  const buckets = Array.from({ length: random.below(4) + 1 }, (_, i) => {
    const limit = random.below(6) + 1;
    // Some windows lie within the part of time up to which a limit is kept in Redis.
    const windowUs = random.pick([500_000, 3_000_000, 60_000_000 + random.below(1_000_000_000)]);
    const stepUs = Math.ceil(windowUs / limit);
    return new Bucket({ name: `e${i}|a b`, stepUs, burstUs: limit * stepUs });
  });
  return { buckets, lanes: LANES.map((id) => ({ id, highest: 0 })) };
}

/** Gives entries of one batch, in their order, the verdicts that they must get. */
class Judge {
  private readonly stuck = new Set<string>();
  private readonly next: Map<string, number>;

  constructor(
    private readonly model: Model,
    private readonly now: number,
  ) {
    this.next = new Map(model.lanes.map(({ id, highest }) => [id, highest + 1]));
  }

  of({ lane, n, charges = [] }: CommitEntry): { kind: string; expected?: number; retryInMs?: number } {
    const expected = this.next.get(lane.id)!;
    if (n < expected) return { kind: 'duplicate' };
    if (this.stuck.has(lane.id)) return { kind: 'out_of_order', expected };
    const buckets = charges.map((charge) => this.model.buckets.find((bucket) => bucket.charge === charge)!);
    const waitUs = Math.max(0, ...buckets.map((bucket) => bucket.waitUs(this.now)));
    if (waitUs > 0) {
      this.stuck.add(lane.id);
      return { kind: 'limited', retryInMs: Math.ceil(waitUs / 1_000) };
    }
    for (const bucket of buckets) bucket.take();
    this.next.set(lane.id, n + 1);
    return { kind: 'ok' };
  }
}

function essence(verdict: Verdict): unknown {
  const { kind } = verdict;
  if (kind === 'limited') return { kind, retryInMs: verdict.retryInMs };
  return kind === 'out_of_order' ? { kind, expected: verdict.expected } : { kind };
}

class Run {
  readonly room = `board:${randomUUID()}`;
  now = Date.now() * 1_000;
  model: Model;
  kept: Model | undefined;
  /** How often each verdict came up. */
  readonly counts: Record<string, number> = {};

  constructor(
    private readonly engine: ClockedStore,
    private readonly random: Random,
  ) {
    this.model = newModel(random);
  }

  async step(): Promise<void> {
    const dice = this.random.below(20);
    if (dice === 0) {
      this.kept = copyOf(this.model);
      return this.engine.checkpoint();
    }
    if (dice === 1 && this.kept) {
      this.model = this.kept;
      this.kept = undefined;
      return this.engine.loseSinceCheckpoint();
    }
    const { random } = this;
    const waits = [0, 0, random.below(200_000), random.below(1_000_000), random.below(400_000_000)];
    this.now += random.pick(waits);
    await this.engine.setTime(this.room, this.now);
    await this.batch();
  }

  /** Sends a batch as a node does: what is refused is answered, the rest runs again. */
  private async batch(): Promise<void> {
    let open = this.entries();
    for (let attempt = 0; open.length > 0; attempt++) {
      expect(attempt).toBeLessThan(3);
      const before = copyOf(this.model);
      const judge = new Judge(this.model, this.now);
      const expected = open.map((one) => judge.of(one));
      const history = { events: 1_000, ttlMs: DAY };
      const reply = await this.engine.store.commit({
        room: this.room,
        entries: open,
        documents: [],
        history,
        idleTtlMs: 0,
      });
      const verdicts =
        reply.status === 'judged' ? reply.verdicts.map(essence) : open.map(() => ({ kind: 'ok' }));
      expect(verdicts).toEqual(expected);
      for (const { kind } of expected) this.counts[kind] = (this.counts[kind] ?? 0) + 1;
      if (reply.status === 'committed') return this.advance(open);
      // Nothing was written.
      this.model = before;
      open = open.filter((_, i) => expected[i]!.kind === 'ok');
    }
  }

  private advance(entries: readonly CommitEntry[]): void {
    for (const { lane, n } of entries) this.model.lanes.find(({ id }) => id === lane.id)!.highest = n;
  }

  private entries(): CommitEntry[] {
    const { random, model, now } = this;
    const next = new Map(model.lanes.map(({ id, highest }) => [id, highest + 1]));
    return Array.from({ length: random.below(6) + 1 }, () => {
      const lane = random.pick(LANES);
      const { highest } = model.lanes.find(({ id }) => id === lane)!;
      const isRepeat = highest > 0 && random.below(4) === 0;
      const n = isRepeat ? highest - random.below(Math.min(3, highest)) : next.get(lane)!;
      if (!isRepeat) next.set(lane, n + 1);
      const charged = model.buckets.filter(() => random.below(2) === 0).map(({ charge }) => charge);
      const counters = random.below(3) === 0 ? [{ name: 'c', by: 1 }] : undefined;
      const events = random.below(3) === 0 ? { events: [] } : {};
      return entry(n, {
        lane,
        // Longer than the window, so that its records are there.
        ack: Math.max(0, highest - 3),
        endsAt: now / 1_000 + DAY,
        ...events,
        ...(charged.length > 0 && { charges: charged }),
        ...(counters && { counters }),
      });
    });
  }
}

/**
 * Random batches under random clocks, with lost tails, each verdict as the model's.
 * @returns how often each verdict came up
 */
export async function attackLimits(engine: ClockedStore, seed: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < 12; i++) {
    const run = new Run(engine, new Random(seed + i));
    await engine.setTime(run.room, run.now);
    for (let step = 0; step < 40; step++) await run.step();
    for (const [kind, count] of Object.entries(run.counts)) counts[kind] = (counts[kind] ?? 0) + count;
  }
  return counts;
}

/** Rate limits of rooms, on any engine, compared with a model under a clock that the test sets. */
export function rateLimitContract(name: string, create: () => Promise<ClockedStore>): void {
  describe(`rate limits in rooms on ${name}`, () => {
    let engine: ClockedStore;
    beforeAll(async () => {
      engine = await create();
    });
    afterAll(() => engine?.stop());

    it('admit exactly what the algorithm admits, in batches, with repeats, and after a lost tail', async () => {
      const counts = await attackLimits(engine, newSeed());
      for (const kind of ['ok', 'limited', 'out_of_order', 'duplicate'])
        expect(counts[kind]).toBeGreaterThan(20);
    }, 120_000);

    it('go on with the next command of the node itself when one of its own is refused', async () => {
      const room = `board:${randomUUID()}`;
      const now = Date.now() * 1_000;
      await engine.setTime(room, now);
      const charges = [{ name: 'e', stepUs: 1e9, burstUs: 1e9 }];
      const own = (n: number, more: object = {}): CommitEntry =>
        entry(n, { lane: '@n', ofNode: true, endsAt: now / 1_000 + 60_000, ...more });
      const reply = await engine.store.commit({
        room,
        entries: [own(1, { charges }), own(2, { charges }), own(3)],
        documents: [],
        history: { events: 10, ttlMs: DAY },
        idleTtlMs: 0,
      });
      expect(reply).toMatchObject({
        status: 'judged',
        verdicts: [{ kind: 'ok' }, { kind: 'limited', limit: 'e', retryInMs: 1_000_000 }, { kind: 'ok' }],
      });
    });

    it('hold when the clock is set back: nobody waits longer than a burst lasts', async () => {
      const room = `board:${randomUUID()}`;
      const now = Date.now() * 1_000;
      const charges = [{ name: 'e', stepUs: 60e6, burstUs: 120e6 }];
      const send = (n: number) =>
        engine.store.commit({
          room,
          entries: [entry(n, { charges })],
          documents: [],
          history: { events: 10, ttlMs: DAY },
          idleTtlMs: 0,
        });
      await engine.setTime(room, now + 7_200e6);
      expect((await send(1)).status).toBe('committed');
      await engine.setTime(room, now);
      expect(await send(2)).toMatchObject({ verdicts: [{ kind: 'limited', retryInMs: 60_000 }] });
      await engine.setTime(room, now + 60e6);
      expect((await send(2)).status).toBe('judged');
    });
  });
}
