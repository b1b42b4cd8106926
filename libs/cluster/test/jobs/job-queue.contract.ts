import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually, newSeed, Random } from '@wss/testing';
import { type JobQueue } from '../../src/index.js';
import {
  MAX_DEAD_JOBS,
  MAX_OUTSTANDING_JOBS,
  type TakenJob,
  type TakeOptions,
} from '../../src/jobs/job-queue.js';
import { CountedJobs } from './counted-jobs.js';
import type { EngineUnderTest, NodeLinks } from '../engines.js';

export function jobQueueContract(name: string, start: () => Promise<EngineUnderTest>): void {
  describe(`job queue on ${name}`, () => {
    let engine: EngineUnderTest;
    let links: NodeLinks;
    let queue: JobQueue;

    beforeAll(async () => void (engine = await start()));
    afterAll(() => engine.stop());
    beforeEach(async () => {
      links = await engine.newCluster().openNode({ nodeId: 'a' });
      queue = links.jobs;
    });
    afterEach(() => links.close());

    const add = async (...texts: string[]): Promise<void> => {
      for (const text of texts) expect(await queue.add('g', text, 'e')).toBe(true);
    };
    const take = (nodeId: string, options: Partial<TakeOptions> = {}, group = 'g'): Promise<TakenJob[]> =>
      queue.take(group, { nodeId, count: 10, held: [], version: 1, ...options });
    const textsOf = (jobs: TakenJob[]): string[] => jobs.map(({ text }) => text);
    const dead = (...live: string[]) => ({ dead: { live, afterMs: 0 } });

    it('gives each job to one node, in the order in which they were added', async () => {
      await add('1', '2', '3', '4');
      expect(textsOf(await take('a', { count: 1 }))).toEqual(['1']);
      expect(textsOf(await take('b', { count: 2 }))).toEqual(['2', '3']);
      expect(textsOf(await take('c'))).toEqual(['4']);
      expect(await take('d')).toEqual([]);
    });

    it('gives nothing of a group that has no jobs, and keeps groups apart', async () => {
      expect(await take('a', dead())).toEqual([]);
      await queue.add('other', 'theirs', 'e');
      expect(await take('a')).toEqual([]);
      expect(await take('a', {}, 'other')).toMatchObject([{ text: 'theirs', deliveries: 1 }]);
    });

    it('gives no job twice while its node lives', async () => {
      await add('1');
      const [job] = await take('a');
      expect(await take('b', dead('a', 'b'))).toEqual([]);
      expect(await take('a', { held: [job!.entry], ...dead('a', 'b') })).toEqual([]);
    });

    it('gives what a dead node held to one other, and counts that', async () => {
      await add('1', '2', '3');
      const [first] = await take('a', { count: 2 });
      await queue.done('g', first!.entry);
      const [second, third] = await take('b', { count: 1, ...dead('b', 'c') }).then(async (mine) => [
        mine[0]!,
        (await take('c', dead('b', 'c')))[0]!,
      ]);
      expect(second).toMatchObject({ text: '2', deliveries: 2 });
      expect(third).toMatchObject({ text: '3', deliveries: 1 });
      expect(await take('d', dead('b', 'c', 'd'))).toEqual([]);
    });

    it('leaves a job of a dead node alone that it took a moment ago', async () => {
      await add('1');
      await take('a');
      expect(await take('b', { dead: { live: ['b'], afterMs: 60_000 } })).toEqual([]);
      await eventually(async () => {
        expect(await take('b', { dead: { live: ['b'], afterMs: 50 } })).toMatchObject([{ deliveries: 2 }]);
      });
    });

    it('gives a node again what it does not know that it holds', async () => {
      await add('1', '2');
      const [, second] = await take('a');
      expect(await take('a', { held: [second!.entry] })).toMatchObject([{ text: '1', deliveries: 2 }]);
    });

    it('forgets what is done, whoever says so, and hears it twice', async () => {
      await add('1', '2');
      const [first] = await take('a');
      for (const _ of [1, 2]) await queue.done('g', first!.entry);
      expect(textsOf(await take('a'))).toEqual(['2']);
      await queue.done('nobody', '1-1');
    });

    it('takes up to 10,000 outstanding jobs, and more when some are done', async () => {
      const parts = Array.from({ length: 100 }, (_, i) => i);
      for (const _ of parts) {
        await Promise.all(
          Array.from({ length: MAX_OUTSTANDING_JOBS / 100 }, () => queue.add('g', 'job', 'e')),
        );
      }
      expect(await queue.add('g', 'one too many', 'e')).toBe(false);
      const [job] = await take('a', { count: 1 });
      expect(await queue.add('g', 'one too many', 'e')).toBe(false);
      await queue.done('g', job!.entry);
      expect(await queue.add('g', 'fits', 'e')).toBe(true);
    });

    it('gives a node only what it handles, whoever met it before, and counts no attempt for that', async () => {
      for (const event of ['x', 'y', 'x', 'y']) await queue.add('g', event, event);
      expect(textsOf(await take('old', { events: ['x'] }))).toEqual(['x', 'x']);
      expect(await take('older', { events: ['x', 'z'], ...dead('old') })).toEqual([]);
      expect(await queue.count('g')).toMatchObject({ outstanding: 4, unhandled: 2, dead: 0 });
      const found = await take('new', { events: ['z', 'y'] });
      expect(found).toMatchObject([
        { text: 'y', deliveries: 1 },
        { text: 'y', deliveries: 1 },
      ]);
      expect(await queue.count('g')).toMatchObject({ unhandled: 0 });
      expect(await take('older', { events: ['x'], ...dead('old', 'new') })).toEqual([]);
      expect(await take('next', { events: ['y'], ...dead('next') })).toMatchObject([
        { deliveries: 2 },
        { deliveries: 2 },
      ]);
    });

    it('R41: leaves a job in a newer format to nodes that read it, and counts no attempt for that', async () => {
      const text = (version: number): string => `{"v":${version},"data":null}`;
      for (const version of [1, 2, 3, 2]) await queue.add('g', text(version), 'x');
      await queue.add('g', text(2), 'y');
      expect(textsOf(await take('old', { events: ['x'] }))).toEqual([text(1)]);
      expect(await take('older', { events: ['x', 'y'], ...dead('older') })).toMatchObject([
        { text: text(1) },
      ]);
      expect(await queue.count('g')).toMatchObject({ outstanding: 5, unhandled: 4, dead: 0 });
      const found = await take('new', { events: ['x'], version: 2, ...dead('older', 'new') });
      expect(found).toMatchObject([
        { text: text(2), deliveries: 1 },
        { text: text(2), deliveries: 1 },
      ]);
      expect(await take('old', { events: ['x', 'y'], ...dead('old', 'older') })).toEqual([]);
      const rest = await take('next', { events: ['x', 'y'], version: 3, ...dead('next', 'older') });
      expect(rest.map(({ text, deliveries }) => `${text} ${deliveries}`).sort()).toEqual(
        [`${text(2)} 1`, `${text(2)} 2`, `${text(2)} 2`, `${text(3)} 1`].sort(),
      );
      expect(await queue.count('g')).toMatchObject({ outstanding: 5, unhandled: 0 });
    });

    it('gives up what no node handles for long, and nothing else', async () => {
      await add('1', '2');
      expect(await queue.buryUnhandled('none', 0)).toBe(0);
      await take('a', { events: ['other'] });
      await queue.add('g', '3', 'other');
      await queue.add('g', '4', 'fresh');
      await take('a', { events: ['other'] });
      expect(await queue.buryUnhandled('g', 60_000)).toBe(0);
      expect(await queue.count('g')).toMatchObject({ outstanding: 4, unhandled: 3, dead: 0 });
      expect(textsOf(await take('b', { count: 1, events: ['fresh'] }))).toEqual(['4']);
      expect(await queue.buryUnhandled('g', 0)).toBe(2);
      expect(await queue.count('g')).toMatchObject({ outstanding: 2, unhandled: 0, dead: 2 });
      expect((await queue.dead('g', 9)).map(({ text, event }) => [text, event])).toEqual([
        ['2', 'e'],
        ['1', 'e'],
      ]);
    });

    it('keeps what was given up, the last thousand of a group', async () => {
      await add('1', '2');
      const [first, second] = await take('a');
      await queue.bury('g', first!.entry, { reason: 'broken', attempts: 5 });
      await queue.bury('g', first!.entry, { reason: 'again', attempts: 5 });
      expect(await queue.dead('g', 10)).toEqual([{ text: '1', event: 'e', reason: 'broken', attempts: 5 }]);
      expect(await queue.count('g')).toMatchObject({ outstanding: 1, unhandled: 0, dead: 1 });
      await queue.done('g', second!.entry);
      for (let part = 0; part < 101; part++) {
        await Promise.all(Array.from({ length: 10 }, (_, i) => queue.add('g', `${part}-${i}`, 'e')));
        const jobs = await take('a');
        await Promise.all(jobs.map(({ entry }) => queue.bury('g', entry, { reason: '', attempts: 1 })));
      }
      expect(await queue.count('g')).toMatchObject({ outstanding: 0, unhandled: 0, dead: MAX_DEAD_JOBS });
      const kept = await queue.dead('g', 2_000);
      expect([kept.length, kept.some(({ text }) => text === '1')]).toEqual([MAX_DEAD_JOBS, false]);
      expect(kept[0]!.text).toMatch(/^100-/);
    });

    it('gives every job to nodes that handle it alone, in whatever order nodes take and die', async () => {
      const seed = newSeed();
      const random = new Random(seed);
      for (let run = 0; run < (process.env.CHAOS === 'long' ? 200 : 10); run++) {
        await gossip(`g${run}`, random, seed);
      }
    });

    /** Random adding, taking and dying; then a node that handles everything gets the rest. */
    async function gossip(group: string, random: Random, seed: number): Promise<void> {
      const handles: Record<string, Handled> = {
        ann: { events: ['x'], version: 1 },
        bob: { events: ['y'], version: 2 },
        cat: { events: ['x', 'y'], version: 1 },
        dan: { events: ['z'], version: 3 },
        eve: { events: ['x', 'z'], version: 2 },
      };
      const alive = new Set(Object.keys(handles));
      const takes = new Map<string, number>();
      const waiting = new Set<string>();
      const holders = new Map<string, { entry: string; nodeId: string }>();
      const takeAs = async (nodeId: string, { events, version }: Handled): Promise<void> => {
        const held = [...holders.values()].filter((job) => job.nodeId === nodeId).map(({ entry }) => entry);
        const options = { events, version, held, count: 1 + random.below(3), ...dead(...alive, nodeId) };
        for (const { entry, text, deliveries } of await take(nodeId, options, group)) {
          const job = JSON.parse(text) as { v: number; event: string };
          const fits = job.v <= version && events.includes(job.event);
          expect([seed, nodeId, text, fits, waiting.has(text)]).toEqual([seed, nodeId, text, true, true]);
          takes.set(text, (takes.get(text) ?? 0) + 1);
          expect([seed, text, deliveries]).toEqual([seed, text, takes.get(text)]);
          const other = holders.get(text);
          expect([seed, text, other && alive.has(other.nodeId)]).not.toEqual([seed, text, true]);
          holders.set(text, { entry, nodeId });
        }
      };
      for (let step = 0; step < 60; step++) {
        const nodeId = random.pick(Object.keys(handles));
        const action = random.below(10);
        if (action < 4) {
          const event = random.pick(['x', 'y', 'z']);
          const text = JSON.stringify({ v: 1 + random.below(3), event, step });
          waiting.add(text);
          await queue.add(group, text, event);
        } else if (action < 8 && alive.has(nodeId)) await takeAs(nodeId, handles[nodeId]!);
        else if (action === 8) alive.delete(nodeId);
        else
          for (const [text, { entry }] of [...holders].slice(0, 1)) {
            await queue.done(group, entry);
            waiting.delete(text);
            holders.delete(text);
          }
      }
      alive.clear();
      for (let i = 0; waiting.size > holdersOf('all', holders) && i < 100; i++)
        await takeAs('all', { events: ['x', 'y', 'z'], version: 3 });
      expect([seed, holdersOf('all', holders)]).toEqual([seed, waiting.size]);
    }

    it('counts the jobs in each state exactly, in whatever order nodes take, fail, end and die', async () => {
      const seed = newSeed();
      const random = new Random(seed);
      for (let run = 0; run < (process.env.CHAOS === 'long' ? 200 : 10); run++) {
        await new CountedJobs({ queue, group: `c${run}`, random, seed }).play(80);
      }
    });

    it('fails while the engine is out of reach', async () => {
      await links.setReachable(false);
      await eventually(() => expect(queue.add('g', 'job', 'e')).rejects.toThrow());
      await expect(take('a')).rejects.toThrow();
      await links.setReachable(true);
    });
  });
}

/** Jobs that a node can handle. */
interface Handled {
  readonly events: string[];
  readonly version: number;
}

function holdersOf(nodeId: string, holders: ReadonlyMap<string, { nodeId: string }>): number {
  return [...holders.values()].filter((job) => job.nodeId === nodeId).length;
}
