import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Position } from '@wss/protocol';
import { newSeed, Random } from '@wss/testing';
import type { HistoryReply } from '../../src/index.js';
import { entry, event, type StoreUnderTest } from './room-store.contract.js';

const DAY = 86_400_000;
/** Least number of events that the log keeps; it is trimmed by whole blocks of Redis, so that it keeps up to 100 entries more. */
const KEPT = 60;
const SEQUENCES = 12;

/** The surviving history of one room, as a reader may know it. */
class Model {
  /** Each event of the surviving history, by its number less one. */
  events: string[] = [];
  closed: { readonly epoch: string; readonly end: number }[] = [];

  /** The range that a page down from a position must not reach. */
  lossOf(
    { epoch, seq }: Position,
    now: Position,
  ): 'unknown_epoch' | { from: number; to: number } | undefined {
    const end = epoch === now.epoch ? now.seq : this.closed.find((one) => one.epoch === epoch)?.end;
    if (end === undefined) return 'unknown_epoch';
    return seq > end ? { from: end + 1, to: seq } : undefined;
  }
}

/** One room under test, with the model of it. */
class Story {
  readonly room = `board:${randomUUID()}`;
  readonly model = new Model();
  position: Position = { epoch: '', seq: 0 };
  private n = 0;
  private saved: { readonly count: number; readonly n: number; readonly position: Position } | undefined;

  constructor(
    private readonly engine: StoreUnderTest,
    private readonly random: Random,
  ) {}

  async step(): Promise<void> {
    const dice = this.random.below(20);
    if (dice < 16) return this.commit();
    if (dice === 16) return this.newHistory();
    if (!this.saved) {
      await this.engine.checkpoint();
      const { n, position } = this;
      this.saved = { count: this.model.events.length, n, position };
    } else await this.failOver();
  }

  /** Reads the whole history in pages of random sizes, and checks each of them. */
  async check(): Promise<void> {
    await this.locate();
    let page = await this.page();
    let next = this.checkPage(page, this.position.seq);
    while (next !== undefined) {
      page = await this.page({ before: next, epoch: this.position.epoch });
      next = this.checkPage(page, next - 1);
    }
    const { events } = this.model;
    // The log reaches back as far as is promised.
    expect(page.oldest).toBeLessThanOrEqual(Math.max(1, events.length - KEPT + 1));
  }

  page(from: { before?: number; epoch?: string } = {}): Promise<HistoryReply> {
    const { random, room, engine } = this;
    const [events, bytes] = [random.pick([1, 2, 7, 40, 500]), random.pick([1, 100, 1_000, 65_536])];
    return engine.store.history({ room, events, bytes, idleTtlMs: 0, bulk: random.below(2) === 0, ...from });
  }

  /** Asks for a page below a position that may be lost. */
  async checkPosition(at: Position): Promise<void> {
    await this.locate();
    const loss = this.model.lossOf(at, this.position);
    const page = await this.page({ before: at.seq + 1, epoch: at.epoch });
    if (!loss) return void this.checkPage(page, at.seq);
    expect(page.entries).toEqual([]);
    expect(page.reason).toBe(loss === 'unknown_epoch' ? loss : 'rolled_back');
    if (loss !== 'unknown_epoch') expect(page.lost).toEqual(loss);
  }

  /** Returns where the next page ends; undefined at the end. */
  private checkPage({ entries, oldest, reason, position }: HistoryReply, last: number): number | undefined {
    expect(reason).toBeUndefined();
    expect(position).toEqual(this.position);
    const found = entries.flatMap(({ first, events }) =>
      events.map(({ data }, i) => ({ seq: first + i, data })),
    );
    const shown = found.filter(({ seq }) => seq <= last);
    const from = shown[0]?.seq ?? last + 1;
    expect(from).toBeGreaterThanOrEqual(Math.min(oldest, last + 1));
    const expected = this.model.events.slice(from - 1, last).map((data, i) => ({ seq: from + i, data }));
    expect(shown).toEqual(expected);
    if (shown.length === 0) expect(oldest).toBeGreaterThan(last);
    return from > oldest ? from : undefined;
  }

  /** Learns the room's position, which may be in a new epoch. */
  private async locate(): Promise<void> {
    const { position } = await this.engine.store.resume({ room: this.room, idleTtlMs: 0 });
    if (position.epoch !== this.position.epoch && this.position.epoch !== '') {
      this.model.closed.push({ epoch: this.position.epoch, end: position.seq });
    }
    this.position = position;
    expect(position.seq).toBe(this.model.events.length);
  }

  private async commit(): Promise<void> {
    const { random, room, model } = this;
    const entries = Array.from({ length: 1 + random.below(3) }, () => {
      const size = random.pick([1, 1, 1, 2, 3, 9]);
      const events = Array.from({ length: size }, () =>
        event('e', { id: randomUUID(), fill: 'x'.repeat(random.below(40)) }),
      );
      return entry(++this.n, { ack: this.n - 1, events });
    });
    const history = { events: KEPT, ttlMs: DAY };
    const reply = await this.engine.store.commit({ room, entries, documents: [], history, idleTtlMs: 0 });
    expect(reply.status).toBe('committed');
    model.events.push(...entries.flatMap(({ events }) => events.map(({ data }) => data)));
    await this.locate();
  }

  private async newHistory(): Promise<void> {
    if (this.saved) return this.failOver();
    await this.engine.newHistory();
    await this.locate();
  }

  private async failOver(): Promise<void> {
    const before = this.position;
    await this.engine.loseSinceCheckpoint();
    const { count, n, position } = this.saved!;
    this.model.events.length = count;
    this.n = n;
    // Of a room that did not exist then, nothing is known.
    this.position = position;
    this.saved = undefined;
    await this.locate();
    if (before.epoch !== '') await this.checkPosition(before);
  }

  async end(): Promise<void> {
    if (this.saved) await this.failOver();
  }
}

/** Pages of a room's history are what survived of it, down to where the log ends; on any engine. */
export function roomHistoryContract(name: string, create: () => Promise<StoreUnderTest>): void {
  describe(`${name} room history`, () => {
    let engine: StoreUnderTest;
    beforeAll(async () => {
      engine = await create();
    });
    afterAll(() => engine?.stop());

    it('R14: shows what survived, in pages without a gap or a repeat, and declares positions that are lost', async () => {
      const seed = newSeed();
      for (let i = 0; i < SEQUENCES; i++) {
        const random = new Random(seed + i);
        const story = new Story(engine, random);
        try {
          for (let step = 0; step < 30; step++) {
            const before = story.position;
            await story.step();
            if (random.below(5) === 0) await story.check();
            if (before.epoch !== '' && random.below(5) === 0) await story.checkPosition(before);
          }
          await story.end();
          await story.check();
        } catch (error) {
          throw new Error(`CHAOS_SEED=${seed + i}`, { cause: error });
        }
      }
    }, 120_000);

    it('R36: shows nothing of a room before its life, and says where it begins', async () => {
      const room = `board:${randomUUID()}`;
      const history = { events: KEPT, ttlMs: DAY };
      const request = { room, documents: [], history };
      await engine.store.commit({ ...request, entries: [entry(1), entry(2)], idleTtlMs: 1 });
      for (const end = Date.now() + 60; Date.now() < end;)
        await new Promise((resolve) => setImmediate(resolve));
      await engine.store.commit({ ...request, entries: [entry(3)], idleTtlMs: 0 });
      const page = await engine.store.history({ room, events: 10, bytes: 1_000, idleTtlMs: 0 });
      expect(page).toMatchObject({ oldest: 3, entries: [{ first: 3 }] });
    });

    it('R38: tells the gate with each page', async () => {
      const room = `board:${randomUUID()}`;
      const history = { events: KEPT, ttlMs: DAY };
      const entries = [entry(1, { ending: { user: 'ann', reason: 'x' } })];
      await engine.store.commit({ room, entries, documents: [], history, idleTtlMs: 0 });
      const { gate, position } = await engine.store.history({ room, events: 1, bytes: 1, idleTtlMs: 0 });
      expect(gate!.endOf({ user: 'ann' }, '')).toMatchObject({ reason: 'x' });
      expect(gate!.at.endsWith(`.${position.seq}`)).toBe(true);
    });
  });
}
