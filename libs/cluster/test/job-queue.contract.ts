import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '@wss/testing';
import { type JobQueue, MAX_OUTSTANDING_JOBS, type TakenJob, type TakeOptions } from '../src/index.js';
import type { EngineUnderTest, NodeLinks } from './engines.js';

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
      for (const text of texts) expect(await queue.add('g', text)).toBe(true);
    };
    const take = (nodeId: string, options: Partial<TakeOptions> = {}, group = 'g'): Promise<TakenJob[]> =>
      queue.take(group, { nodeId, count: 10, held: [], ...options });
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
      await queue.add('other', 'theirs');
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
        await Promise.all(Array.from({ length: MAX_OUTSTANDING_JOBS / 100 }, () => queue.add('g', 'job')));
      }
      expect(await queue.add('g', 'one too many')).toBe(false);
      const [job] = await take('a', { count: 1 });
      expect(await queue.add('g', 'one too many')).toBe(false);
      await queue.done('g', job!.entry);
      expect(await queue.add('g', 'fits')).toBe(true);
    });

    it('fails while the engine is out of reach', async () => {
      await links.setReachable(false);
      await eventually(() => expect(queue.add('g', 'job')).rejects.toThrow());
      await expect(take('a')).rejects.toThrow();
      await links.setReachable(true);
    });
  });
}
