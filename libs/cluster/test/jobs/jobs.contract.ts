import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, type Type, UseGuards, type CanActivate } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { eventually } from '@wss/testing';
import { ClusterContext, JobRunner, type JobStats } from '../../src/index.js';
import { captureLogs, releaseLogs } from '../captured-logs.js';
import type { ClusterUnderTest, EngineUnderTest } from '../engines.js';
import { TestNode } from '../test-node.js';

interface Run {
  readonly data: unknown;
  readonly from: string;
  readonly id: string | undefined;
  readonly attempt: number | undefined;
}

class NotForbidden implements CanActivate {
  static allows = true;
  canActivate(): boolean {
    return NotForbidden.allows;
  }
}

/** Runs jobs of a group, and hears an event of the same name. */
@Injectable()
class Worker {
  readonly runs: Run[] = [];
  readonly events: unknown[] = [];
  work: (run: Run) => unknown = () => undefined;

  @EventPattern<string>('test.work', { group: 'reports' })
  async onJob(@Payload() data: unknown, @Ctx() context: ClusterContext): Promise<void> {
    const job = context.getJob();
    const run = { data, from: context.getNodeId(), id: job?.id, attempt: job?.attempt };
    this.runs.push(run);
    await this.work(run);
  }

  @EventPattern<string>('test.guarded', { group: 'reports' })
  @UseGuards(NotForbidden)
  onGuarded(@Payload() data: unknown): void {
    this.events.push(data);
  }

  @EventPattern<string>('test.work')
  onEvent(@Payload() data: unknown, @Ctx() context: ClusterContext): void {
    this.events.push([data, context.getJob()]);
  }
}

/** Handlers that only a newer release has. */
@Injectable()
class Newer {
  readonly runs: { data: unknown; attempt: number | undefined }[] = [];

  @EventPattern<string>('test.newer', { group: 'reports' })
  onJob(@Payload() data: unknown, @Ctx() context: ClusterContext): void {
    this.runs.push({ data, attempt: context.getJob()?.attempt });
  }
}

const ALL_DEAD = { dead: { live: [], afterMs: 0 } };
const SETTINGS = { pollMs: 50, retryMs: 10, claimAfterMs: 200, unhandledAfterMs: 200, drainMs: 5_000 };

export function jobsContract(name: string, start: () => Promise<EngineUnderTest>): void {
  describe(`jobs on ${name}`, () => {
    let engine: EngineUnderTest;
    let cluster: ClusterUnderTest;
    let nodes: TestNode[];
    let a: TestNode;

    beforeAll(async () => void (engine = await start()));
    afterAll(() => engine.stop());
    const startNodes = async (jobSettings = SETTINGS): Promise<void> => {
      cluster = engine.newCluster();
      const start = (nodeId: string): Promise<TestNode> =>
        TestNode.start(cluster, nodeId, { providers: [Worker], jobSettings });
      nodes = await Promise.all(['a', 'b', 'c'].map(start));
      [a] = nodes as [TestNode];
    };
    /** Starts other nodes, which take nobody for dead while this process stalls. */
    const startTrusting = async (): Promise<void> => {
      for (const node of nodes) await node.close();
      await startNodes({ ...SETTINGS, claimAfterMs: 120_000 });
    };
    beforeEach(() => startNodes());
    afterEach(async () => {
      for (const node of nodes) workerOf(node).work = () => undefined;
      for (const node of nodes) await node.close();
    });

    const startNode = (nodeId: string, ...more: Type<object>[]): Promise<TestNode> =>
      TestNode.start(cluster, nodeId, { providers: [Worker, ...more], jobSettings: SETTINGS });
    const statsOf = (node: TestNode): JobStats[] =>
      node.module.get(JobRunner).stats.map(([, stats]) => stats);
    const workerOf = (node: TestNode): Worker => node.module.get(Worker);
    const runs = (): Run[] => nodes.flatMap((node) => workerOf(node).runs);
    /** Attempts, each counted once: while this process stalls, nodes take others for dead and repeat their jobs. */
    const attempts = (): Set<string> => new Set(runs().map(({ id, attempt }) => `${id} ${attempt}`));
    const onAll = (work: (run: Run, node: TestNode) => unknown): void => {
      for (const node of nodes) workerOf(node).work = (run) => work(run, node);
    };
    const emit = (data?: unknown, id?: string): Promise<{ id: string }> =>
      a.cluster.one('reports').emit('test.work', data, id === undefined ? {} : { id });
    const outstanding = async (): Promise<unknown[]> =>
      a.links.jobs.take('reports', { nodeId: 'x', count: 100, held: [], version: 1, ...ALL_DEAD });

    it('are each run by exactly one node of three, with their data and id', async () => {
      await startTrusting();
      const ids: string[] = [];
      for (let i = 0; i < 60; i++) {
        ids.push((await nodes[i % 3]!.cluster.one('reports').emit('test.work', { i })).id);
      }
      await eventually(() => expect(runs()).toHaveLength(60));
      expect(new Set(ids).size).toBe(60);
      for (const [i, id] of ids.entries()) {
        expect(runs().filter((run) => run.id === id)).toEqual([
          { data: { i }, from: nodes[i % 3]!.nodeId, id, attempt: 1 },
        ]);
      }
      await eventually(async () => expect(await outstanding()).toEqual([]));
      expect(runs()).toHaveLength(60);
    });

    it('reach no handler of events, nor events a handler of jobs', async () => {
      await a.cluster.emit('test.work', 'event');
      await eventually(() => {
        for (const node of nodes) expect(workerOf(node).events).toEqual([['event', undefined]]);
      });
      await emit('job');
      await eventually(() => expect(runs().map(({ data }) => data)).toEqual(['job']));
      for (const node of nodes) expect(workerOf(node).events).toHaveLength(1);
    });

    it('pass their guards like every handler', async () => {
      NotForbidden.allows = false;
      const lines = captureLogs();
      try {
        await a.cluster.one('reports').emit('test.guarded', 1);
        await eventually(() => expect(lines.join('\n')).toMatch(/given up after 5 attempts/));
      } finally {
        NotForbidden.allows = true;
        releaseLogs();
      }
      await a.cluster.one('reports').emit('test.guarded', 2);
      await eventually(() => expect(nodes.flatMap((node) => workerOf(node).events)).toEqual([2]));
    });

    it('are run again when they fail, under the same id, until they succeed', async () => {
      onAll(({ attempt }) => {
        if (attempt! < 3) throw new Error('not yet');
      });
      const lines = captureLogs();
      try {
        expect(await emit(1, 'invoice-7')).toEqual({ id: 'invoice-7' });
        await eventually(() => expect(runs().map(({ attempt }) => attempt)).toEqual([1, 2, 3]));
      } finally {
        releaseLogs();
      }
      expect(new Set(runs().map(({ id }) => id))).toEqual(new Set(['invoice-7']));
      // The second one is counted, and reported with the next line.
      expect(lines.filter((line) => line.includes('failed in attempt'))).toHaveLength(1);
      await eventually(async () => expect(await outstanding()).toEqual([]));
    });

    it('that fail five times are given up, and others go on meanwhile', async () => {
      onAll(({ data }) => {
        if (data === 'bad') throw new Error('never');
      });
      const lines = captureLogs();
      try {
        await emit('bad', 'x');
        for (let i = 0; i < 30; i++) await emit(i);
        await eventually(() =>
          expect(lines).toContainEqual('job x (test.work) of "reports" is given up after 5 attempts'),
        );
      } finally {
        releaseLogs();
      }
      expect([...attempts()].filter((attempt) => attempt.startsWith('x '))).toEqual(
        [1, 2, 3, 4, 5].map((attempt) => `x ${attempt}`),
      );
      await eventually(() => expect(attempts().size).toBe(35));
      await eventually(async () => expect(await outstanding()).toEqual([]));
    });

    it('that fail again and again fill no log', async () => {
      onAll(() => {
        throw new TypeError('the printer burns');
      });
      const lines = captureLogs();
      try {
        for (let i = 0; i < 30; i++) await emit(i);
        await eventually(() => expect(attempts().size).toBe(150));
        await eventually(async () => expect(await outstanding()).toEqual([]));
      } finally {
        releaseLogs();
      }
      for (const text of ['failed in attempt', 'is given up', 'Worker.onJob failed']) {
        expect(lines.filter((line) => line.includes(text)).length).toBeLessThanOrEqual(nodes.length);
      }
    });

    it('that were given up are kept, with their reason', async () => {
      onAll(() => {
        throw new Error('the printer burns');
      });
      captureLogs();
      try {
        await emit({ page: 1 }, 'x');
        await eventually(async () =>
          expect(await a.links.jobs.dead('reports', 9)).toMatchObject([
            {
              event: 'test.work',
              reason: 'the printer burns',
              attempts: 5,
              text: expect.stringContaining('"page":1'),
            },
          ]),
        );
      } finally {
        releaseLogs();
      }
      await eventually(() =>
        expect(nodes.flatMap(statsOf)).toContainEqual(expect.objectContaining({ givenUp: 1 })),
      );
      expect(await outstanding()).toEqual([]);
    });

    it('of an event that only a newer node handles wait for one, are seen to wait, and are no attempt', async () => {
      const lines = captureLogs();
      try {
        for (let i = 0; i < 20; i++) await a.cluster.one('reports').emit('test.newer', i);
        await eventually(() =>
          expect(statsOf(a)).toMatchObject([{ outstanding: 20, waiting: 20, unhandled: 20, running: 0 }]),
        );
        // The line tells how many waited at the first look, and is not repeated for those that came later.
        await eventually(() => expect(lines.join('\n')).toMatch(/\d jobs of "reports" wait for a node/));
        nodes.push(await startNode('d', Newer));
        const newer = nodes.at(-1)!.module.get(Newer);
        await eventually(() => expect(newer.runs).toHaveLength(20));
        for (let i = 20; i < 40; i++) await a.cluster.one('reports').emit('test.newer', i);
        await eventually(() => expect(newer.runs).toHaveLength(40));
        expect(newer.runs.map(({ attempt }) => attempt)).toEqual(Array(40).fill(1));
        expect(newer.runs.map(({ data }) => data).sort((x, y) => Number(x) - Number(y))).toEqual([
          ...Array(40).keys(),
        ]);
        await eventually(async () => expect(await outstanding()).toEqual([]));
        // Lines of jobs before, which are told with a delay, may come meanwhile.
        expect(lines.join('\n')).not.toMatch(/test\.newer\W.*(failed in attempt|given up)/);
      } finally {
        releaseLogs();
      }
    });

    it('R41: in a newer format are left to newer nodes; texts that are not packets are given up, and seen', async () => {
      const lines = captureLogs();
      try {
        const newer = '{"v":2,"from":"z","id":"1","kind":"event","pattern":"test.work","data":null}';
        await a.links.jobs.add('reports', newer, 'test.work');
        await a.links.jobs.add('reports', 'no packet', 'test.work');
        await eventually(async () =>
          expect(await a.links.jobs.dead('reports', 9)).toMatchObject([{ text: 'no packet' }]),
        );
        await eventually(() =>
          expect(statsOf(a)).toMatchObject([{ outstanding: 1, unhandled: 1, dead: 1, running: 0 }]),
        );
        await eventually(() => expect(lines.join('\n')).toContain('1 jobs of "reports" wait for a node'));
        const options = { nodeId: 'new', count: 9, held: [], events: ['test.work'], version: 2 };
        expect(await a.links.jobs.take('reports', options)).toMatchObject([{ text: newer, deliveries: 1 }]);
        expect(lines.filter((line) => line.includes('given up'))).toHaveLength(1);
        expect(runs()).toEqual([]);
      } finally {
        releaseLogs();
      }
    });

    it('of a node that is cut off are run by another', async () => {
      let release = (): void => undefined;
      const stuck = new Promise<void>((resolve) => (release = resolve));
      onAll(({ attempt }) => (attempt === 1 ? stuck : undefined));
      await emit('job');
      await eventually(() => expect(runs()).toHaveLength(1));
      const holder = nodes.find((node) => workerOf(node).runs.length === 1)!;
      await holder.links.setReachable(false);
      await eventually(() =>
        expect(
          runs()
            .map(({ attempt }) => attempt)
            .sort(),
        ).toEqual([1, 2]),
      );
      expect(workerOf(holder).runs).toHaveLength(1);
      expect(runs()[0]!.id).toBe(runs()[1]!.id);
      release();
    });

    it('are at most 16 at once on a node', async () => {
      await startTrusting();
      let release = (): void => undefined;
      const stuck = new Promise<void>((resolve) => (release = resolve));
      onAll(() => stuck);
      for (let i = 0; i < 60; i++) await emit(i);
      await eventually(() => expect(nodes.map((node) => workerOf(node).runs.length)).toEqual([16, 16, 16]));
      release();
      await eventually(() => expect(runs()).toHaveLength(60));
    });

    it('that run are finished by a node that closes, and those that wait are left to others', async () => {
      for (const node of nodes) await node.close();
      const patient = { ...SETTINGS, retryMs: 60_000 };
      const node = await TestNode.start(cluster, 'd', { providers: [Worker], jobSettings: patient });
      nodes = [node];
      let release = (): void => undefined;
      const stuck = new Promise<void>((resolve) => (release = resolve));
      const lines = captureLogs();
      onAll(({ data }) => {
        if (data === 'waiting') throw new Error('not now');
        return stuck;
      });
      for (const data of ['running', 'waiting']) await node.cluster.one('reports').emit('test.work', data);
      await eventually(() => expect(lines.join('\n')).toContain('failed in attempt 1')).finally(releaseLogs);
      await eventually(() => expect(runs()).toHaveLength(2));
      await eventually(() =>
        expect(statsOf(node)).toMatchObject([{ outstanding: 2, waiting: 0, running: 1, failed: 1 }]),
      );
      const closed = node.transport.close();
      release();
      await closed;
      const left = await node.links.jobs.take('reports', {
        nodeId: 'x',
        count: 9,
        held: [],
        version: 1,
        ...ALL_DEAD,
      });
      expect(left.map(({ text }) => (JSON.parse(text) as { data: unknown }).data)).toEqual(['waiting']);
    });

    it('wait for a node that runs them', async () => {
      await a.cluster.one('others').emit('test.other', 1);
      const done: unknown[] = [];
      @Injectable()
      class Late {
        @EventPattern<string>('test.other', { group: 'others' })
        onJob(@Payload() data: unknown): void {
          done.push(data);
        }
      }
      nodes.push(await TestNode.start(cluster, 'd', { providers: [Worker, Late], jobSettings: SETTINGS }));
      await eventually(() => expect(done).toEqual([1]));
    });

    it('that can not be sent say why', async () => {
      const large = 'x'.repeat(65_536);
      await expect(emit(large)).rejects.toMatchObject({ code: 'too_large' });
      await expect(emit(1, 'x'.repeat(65))).rejects.toThrow(RangeError);
      expect(() => a.cluster.one('a group')).toThrow(RangeError);
      await a.links.setReachable(false);
      await eventually(() =>
        expect(emit()).rejects.toMatchObject({
          code: expect.stringMatching(/^(unavailable|unknown_outcome)$/),
        }),
      );
    });
  });
}
