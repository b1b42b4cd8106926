import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { NotFoundException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { GatewayError } from '@wss/core';
import { eventually } from '@wss/testing';
import { EMPTY, firstValueFrom, of, take, toArray } from 'rxjs';
import { captureLogs, releaseLogs } from './captured-logs.js';
import type { ClusterUnderTest, EngineUnderTest } from './engines.js';
import { Special, TestNode } from './test-node.js';

/** No test may wait that long: a call that does fails it. */
const FOR_EVER = { timeoutMs: 60_000 };

export function clusterContract(name: string, start: () => Promise<EngineUnderTest>): void {
  describe(`cluster on ${name}`, () => {
    let engine: EngineUnderTest;
    let cluster: ClusterUnderTest;
    let nodes: TestNode[];
    let a: TestNode, b: TestNode, c: TestNode;

    beforeAll(async () => void (engine = await start()));
    afterAll(() => engine.stop());

    beforeEach(async () => {
      cluster = engine.newCluster();
      nodes = await Promise.all([
        TestNode.start(cluster, 'a'),
        TestNode.start(cluster, 'b'),
        TestNode.start(cluster, 'c', { providers: [Special] }),
      ]);
      [a, b, c] = nodes as [TestNode, TestNode, TestNode];
    });
    afterEach(async () => {
      for (const node of nodes) await node.close();
      for (const node of nodes) expect(node.pending).toBe(0);
    });

    const received = (): unknown[][] => nodes.map(({ recorder }) => recorder.events.map(({ data }) => data));
    const allHave = (marker: unknown): Promise<void> =>
      eventually(() => {
        for (const data of received()) expect(data).toContain(marker);
      });

    describe('events', () => {
      it('R20: reach all nodes once, in one order, which is that of each sender', async () => {
        const numbers = Array.from({ length: 200 }, (_, i) => i);
        await Promise.all(nodes.flatMap((node) => numbers.map((n) => node.cluster.emit('test.said', n))));
        for (const node of nodes) await node.cluster.emit('test.said', `end of ${node.nodeId}`);
        for (const node of nodes) await allHave(`end of ${node.nodeId}`);
        for (const receiver of nodes) {
          for (const { nodeId } of nodes) {
            expect(receiver.recorder.from(nodeId)).toEqual([...numbers, `end of ${nodeId}`]);
          }
        }
        expect(b.recorder.events).toEqual(a.recorder.events);
        expect(c.recorder.events).toEqual(a.recorder.events);
      });

      it('that are volatile reach all nodes, in the order of each sender', async () => {
        const numbers = Array.from({ length: 50 }, (_, i) => i);
        const send = (node: TestNode, n: number): Promise<void> =>
          node.cluster.emit('test.said', n, { volatile: true });
        await Promise.all(nodes.flatMap((node) => numbers.map((n) => send(node, n))));
        await eventually(() => {
          for (const receiver of nodes) {
            for (const { nodeId } of nodes) expect(receiver.recorder.from(nodeId)).toEqual(numbers);
          }
        });
      });

      it('R20: that are gone with the log are declared by $resync, and later ones come', async () => {
        await a.cluster.emit('test.said', 1);
        await allHave(1);
        await cluster.wipe();
        await eventually(() => {
          for (const node of nodes) expect(node.recorder.resyncs).toBe(1);
        });
        await a.cluster.emit('test.said', 2);
        await allHave(2);
        expect(received()).toEqual([
          [1, 2],
          [1, 2],
          [1, 2],
        ]);
      });

      it('that are gone are told to an operator, at the latest when the node stops', async () => {
        let stopped: TestNode[] = [];
        const lines = captureLogs();
        try {
          await a.cluster.emit('test.said', 1);
          await allHave(1);
          await cluster.wipe();
          await eventually(() => {
            for (const node of nodes) expect(node.recorder.resyncs).toBe(1);
          });
          stopped = nodes.splice(0);
          for (const node of stopped) await node.close();
        } finally {
          releaseLogs();
        }
        const told = lines.filter((line) => line.includes('lost their history'));
        expect(told).toEqual(stopped.map(() => expect.stringContaining('$reset: 1 have lost their history')));
      });

      it('reach the one node that they are for, whether another or the own', async () => {
        await a.cluster.node('b').emit('test.said', 'to b');
        await a.cluster.node('a').emit('test.said', 'to a');
        await a.cluster.node('nobody').emit('test.said', 'to nobody');
        await a.cluster.emit('test.said', 'end');
        await allHave('end');
        expect(received()).toEqual([['to a', 'end'], ['to b', 'end'], ['end']]);
      });

      it('bring the same data to every node, the own included', async () => {
        await a.cluster.emit('test.said');
        await a.cluster.emit('test.said', { at: new Date(0), gone: undefined, list: [1] });
        await a.cluster.emit('test.said', 'end');
        await allHave('end');
        for (const data of received()) {
          expect(data).toStrictEqual([null, { at: '1970-01-01T00:00:00.000Z', list: [1] }, 'end']);
        }
      });

      it('of no interest are dropped', async () => {
        await a.cluster.emit('test.unheard', 1);
        await a.cluster.emit('test.said', 'end');
        await allHave('end');
      });

      it('that are too large reach nobody and fail at their sender', async () => {
        const large = 'x'.repeat(1_048_576);
        await expect(a.cluster.emit('test.said', large)).rejects.toMatchObject({ code: 'too_large' });
        await expect(a.cluster.emit('test.said', 1n)).rejects.toThrow(TypeError);
        await a.cluster.emit('test.said', 'end');
        await allHave('end');
        expect(received()).toEqual([['end'], ['end'], ['end']]);
      });
    });

    describe('calls', () => {
      it('bring exactly one answer of every live node', async () => {
        for (const node of nodes) node.recorder.answer = (data) => [node.nodeId, data];
        expect(await a.ask('test.ask', { x: 1 }, FOR_EVER)).toEqual(
          ['a', 'b', 'c'].map((nodeId) => ({ nodeId, data: [nodeId, { x: 1 }] })),
        );
      });

      it('are made once per subscription', async () => {
        let asked = 0;
        b.recorder.answer = () => ++asked;
        const call = a.cluster.call('test.ask', null, FOR_EVER);
        await firstValueFrom(call.pipe(toArray()));
        await firstValueFrom(call.pipe(toArray()));
        expect(asked).toBe(2);
      });

      it('do not wait for nodes without a handler', async () => {
        const error = { code: 'unknown_event', message: 'this node has no handler for this call' };
        expect(await a.ask('test.nothing', null, FOR_EVER)).toEqual([
          { nodeId: 'a', error },
          { nodeId: 'b', error },
          { nodeId: 'c', error },
        ]);
        expect(await a.ask('test.special', null, FOR_EVER)).toEqual([
          { nodeId: 'a', error },
          { nodeId: 'b', error },
          { nodeId: 'c', data: 'special' },
        ]);
      });

      it('take empty and observed answers as answers', async () => {
        a.recorder.answer = () => undefined;
        b.recorder.answer = () => of(1, 2);
        c.recorder.answer = () => EMPTY;
        const lines = captureLogs();
        const answers = await a.ask('test.ask', null, FOR_EVER).finally(releaseLogs);
        expect(answers).toEqual([
          { nodeId: 'a', data: null },
          { nodeId: 'b', data: 2 },
          { nodeId: 'c', data: null },
        ]);
        expect(lines.filter((line) => line.includes('Recorder.ask'))).toEqual([]);
      });

      it("bring handlers' errors by code and message, and nothing internal", async () => {
        a.recorder.answer = () => Promise.reject(new GatewayError('conflict', 'try again'));
        b.recorder.answer = () => {
          throw new Error('secret: password');
        };
        c.recorder.answer = () => {
          throw new RpcException('not today');
        };
        const lines = captureLogs();
        const answers = await a.ask('test.ask', null, FOR_EVER).finally(releaseLogs);
        expect(answers).toEqual([
          { nodeId: 'a', error: { code: 'conflict', message: 'try again' } },
          { nodeId: 'b', error: { code: 'internal', message: 'internal error' } },
          { nodeId: 'c', error: { code: 'rejected', message: 'not today' } },
        ]);
        expect(lines.join('\n')).toMatch(/Recorder\.ask failed, asked by a: Error: secret: password/);
      });

      it('fill no log where a handler fails again and again', async () => {
        b.recorder.answer = () => {
          throw new TypeError('secret: password');
        };
        const lines = captureLogs();
        try {
          for (let i = 0; i < 20; i++) await a.ask('test.ask', null, FOR_EVER);
        } finally {
          releaseLogs();
        }
        const told = lines.filter((line) => line.includes('Recorder.ask failed'));
        expect(told).toEqual([expect.stringContaining('asked by a: TypeError: secret')]);
      });

      it('refuse answers that are too large or no JSON', async () => {
        a.recorder.answer = () => 'x'.repeat(1_048_576);
        b.recorder.answer = () => 'x'.repeat(1_048_576);
        c.recorder.answer = () => 1n;
        captureLogs();
        const answers = await a.ask('test.ask', null, FOR_EVER).finally(releaseLogs);
        expect(answers).toMatchObject([
          { nodeId: 'a', error: { code: 'too_large' } },
          { nodeId: 'b', error: { code: 'too_large' } },
          { nodeId: 'c', error: { code: 'internal' } },
        ]);
      });

      it('mark a node that stays silent, at the deadline', async () => {
        c.recorder.answer = () => new Promise(() => undefined);
        const startedAt = performance.now();
        expect(await a.ask('test.ask', 1, { timeoutMs: 200 })).toEqual([
          { nodeId: 'a', data: 1 },
          { nodeId: 'b', data: 1 },
          { nodeId: 'c', missing: true },
        ]);
        expect(performance.now() - startedAt).toBeGreaterThanOrEqual(190);
      });

      it('mark the own node as well when it stays silent', async () => {
        a.recorder.answer = () => new Promise(() => undefined);
        expect((await a.ask('test.ask', 1, { timeoutMs: 100 }))[0]).toEqual({ nodeId: 'a', missing: true });
      });

      it('mark a node that dies meanwhile, and wait for it no more once its lease has ended', async () => {
        c.recorder.answer = () => {
          void c.links.setReachable(false);
          return new Promise(() => undefined);
        };
        expect((await a.ask('test.ask', 1, { timeoutMs: 300 }))[2]).toEqual({ nodeId: 'c', missing: true });
        await eventually(async () => expect(await a.cluster.nodes()).toHaveLength(2));
        expect(await a.ask('test.ask', 1, FOR_EVER)).toHaveLength(2);
      });

      it('ignore a late answer', async () => {
        let release = (): void => undefined;
        c.recorder.answer = () => new Promise<void>((resolve) => (release = resolve));
        const answers = await a.ask('test.ask', 1, { timeoutMs: 100 });
        expect(answers[2]).toEqual({ nodeId: 'c', missing: true });
        release();
        c.recorder.answer = () => 'second';
        expect((await a.ask('test.ask', 1, FOR_EVER))[2]).toEqual({ nodeId: 'c', data: 'second' });
      });

      it('end when the subscriber goes', async () => {
        c.recorder.answer = () => new Promise(() => undefined);
        await firstValueFrom(a.cluster.call('test.ask', 1, FOR_EVER).pipe(take(2), toArray()));
        expect(a.pending).toBe(0);
      });

      it('leave nothing behind, however many there are', async () => {
        const calls = Array.from({ length: 500 }, (_, i) => a.ask('test.ask', i, FOR_EVER));
        for (const [i, answers] of (await Promise.all(calls)).entries()) {
          expect(answers.map((answer) => 'data' in answer && answer.data)).toEqual([i, i, i]);
        }
        expect(a.pending).toBe(0);
      });

      it('to one node bring its data or a definite error', async () => {
        b.recorder.answer = (data) => {
          if (data === 'hang') return new Promise(() => undefined);
          if (data === 'fail') throw new NotFoundException('no such thing');
          return [data];
        };
        const target = a.cluster.node('b');
        expect(await target.call('test.ask', 1, FOR_EVER)).toEqual([1]);
        expect(await a.cluster.node('a').call('test.ask', 1, FOR_EVER)).toBe(1);
        captureLogs();
        const codeOf = async (call: Promise<unknown>): Promise<unknown> =>
          call.then(
            () => 'none',
            (error: GatewayError) => [error.code, error.message],
          );
        try {
          expect(await codeOf(target.call('test.ask', 'fail', FOR_EVER))).toEqual([
            'not_found',
            'no such thing',
          ]);
          expect(await codeOf(target.call('test.ask', 'hang', { timeoutMs: 50 }))).toEqual([
            'unknown_outcome',
            'node b did not answer in time',
          ]);
          expect(await codeOf(a.cluster.node('nobody').call('test.ask', 1, FOR_EVER))).toEqual([
            'not_found',
            'no node nobody is alive',
          ]);
          expect(await codeOf(target.call('test.nothing', 1, FOR_EVER))).toMatchObject(['unknown_event', {}]);
        } finally {
          releaseLogs();
        }
      });

      it('reject a time that is none', () => {
        for (const timeoutMs of [0, -1, NaN, Infinity, 60_001]) {
          expect(() => a.cluster.call('test.ask', 1, { timeoutMs })).toThrow(RangeError);
        }
      });
    });

    describe('texts that are not packets', () => {
      const packet = { v: 1, kind: 'call', from: 'x', id: '1', pattern: 'test.ask', data: 1, timeoutMs: 100 };
      const garbage = [
        '',
        'hello',
        'null',
        '1',
        '[]',
        '{}',
        '{"v":1',
        '{"pattern":"test.said","data":1}',
        `${'['.repeat(50_000)}${']'.repeat(50_000)}`,
        'x'.repeat(2_000_000),
        { ...packet, v: 2 },
        { ...packet, v: '1' },
        { ...packet, kind: 'query' },
        { ...packet, kind: 'event', pattern: 'toString' },
        { ...packet, kind: 'event', pattern: '__proto__' },
        { ...packet, from: '' },
        { ...packet, from: 'y'.repeat(65) },
        { ...packet, from: 'a', kind: 'event', pattern: 'test.said' },
        { ...packet, id: 7 },
        { ...packet, id: undefined },
        { ...packet, pattern: { cmd: 'x' } },
        { ...packet, pattern: 'constructor' },
        { ...packet, timeoutMs: 'soon' },
        { v: 1, kind: 'answer', from: 'b', id: 'zzz', data: 1 },
        { v: 1, kind: 'answer', from: 'b', id: '1', error: 'no' },
        { v: 1, kind: 'answer', from: 'b', id: '1', error: null },
      ].map((message) => (typeof message === 'string' ? message : JSON.stringify(message)));

      it('is ignored, whoever publishes it', async () => {
        for (const message of garbage) {
          await cluster.publish(a.links.keys.cluster, message);
          await cluster.publish(a.links.keys.node('a'), message);
        }
        await b.cluster.emit('test.said', 'end');
        await allHave('end');
        // Node a ignores what claims to be from itself; to the others it is a packet like any other.
        expect(a.recorder.events.map(({ data }) => data)).toEqual(['end']);
        expect(await a.ask('test.ask', 1, FOR_EVER)).toHaveLength(3);
      });

      it('does not take an answer of a node that was not asked, nor a second one', async () => {
        const answers: unknown[] = [];
        let release = (): void => undefined;
        c.recorder.answer = () => new Promise<string>((resolve) => (release = () => resolve('c')));
        const done = new Promise<void>((resolve, reject) => {
          a.cluster
            .call('test.ask', 1, FOR_EVER)
            .subscribe({ next: (answer) => answers.push(answer), complete: resolve, error: reject });
        });
        await eventually(() => expect(answers).toHaveLength(2));
        const forged = { v: 1, kind: 'answer', data: 'forged' };
        for (const from of ['b', 'stranger']) {
          for (let id = 1; id < 10; id++) {
            const message = JSON.stringify({ ...forged, from, id: id.toString(36) });
            await cluster.publish(a.links.keys.node('a'), message);
          }
        }
        release();
        await done;
        expect(answers).toContainEqual({ nodeId: 'c', data: 'c' });
        expect(answers).toHaveLength(3);
        expect(JSON.stringify(answers)).not.toContain('forged');
      });

      it('may hold more than this version knows', async () => {
        const newer = {
          v: 1,
          kind: 'event',
          from: 'x',
          id: '1',
          pattern: 'test.said',
          data: 'new',
          trace: {},
        };
        await cluster.publish(a.links.keys.cluster, JSON.stringify(newer));
        await allHave('new');
      });
    });

    describe('start and end', () => {
      it('a node of another packet version is not waited for', async () => {
        const other = await cluster.openNode({ nodeId: 'd' });
        Object.assign(other.registry, { self: { ...other.registry.self, packets: 2 } });
        await other.registry.join();
        try {
          expect((await a.ask('test.ask', 1, FOR_EVER))[3]).toEqual({ nodeId: 'd', missing: true });
        } finally {
          await other.registry.leave();
          await other.close();
        }
      });

      it('a node that closes is gone at once, and answers what it was asked', async () => {
        let release = (): void => undefined;
        const asked = new Promise<void>((resolve) => {
          c.recorder.answer = () => {
            resolve();
            return new Promise<string>((answer) => (release = () => answer('last')));
          };
        });
        const answers = a.ask('test.ask', 1, FOR_EVER);
        await asked;
        const closed = c.transport.close();
        await eventually(async () => expect(await a.cluster.nodes()).toHaveLength(2));
        release();
        await closed;
        expect((await answers)[2]).toEqual({ nodeId: 'c', data: 'last' });
        expect(await a.ask('test.ask', 1, FOR_EVER)).toHaveLength(2);
      });

      it('calls of a node that closes fail', async () => {
        b.recorder.answer = () => new Promise(() => undefined);
        const answers = a.ask('test.ask', 1, FOR_EVER);
        await eventually(() => expect(a.pending).toBe(1));
        const [result] = await Promise.allSettled([answers, a.transport.close()]);
        expect(result).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
        await expect(a.ask('test.ask', 1, FOR_EVER)).rejects.toMatchObject({ code: 'unavailable' });
      });

      it('a node can listen again after it was closed, and be closed twice', async () => {
        await Promise.all([c.transport.close(), c.transport.close()]);
        await c.listen();
        await a.cluster.emit('test.said', 'again');
        await allHave('again');
        expect(await a.ask('test.ask', 1, FOR_EVER)).toHaveLength(3);
      });

      it('a node alone handles its own events and calls', async () => {
        const alone = await TestNode.start(engine.newCluster(), 'z', { listens: false });
        try {
          await alone.cluster.emit('test.said', 1, { volatile: true });
          await eventually(() => expect(alone.recorder.from('z')).toEqual([1]));
          expect(await alone.ask('test.ask', 1, FOR_EVER)).toEqual([{ nodeId: 'z', data: 1 }]);
        } finally {
          await alone.close();
        }
      });

      it('a node that does not listen is told so when it calls others', async () => {
        const deaf = await TestNode.start(cluster, 'd', { listens: false });
        try {
          await expect(deaf.ask('test.ask', 1, FOR_EVER)).rejects.toMatchObject({
            code: 'unavailable',
            message: expect.stringContaining('startAllMicroservices'),
          });
        } finally {
          await deaf.close();
        }
      });

      it('a node out of reach of the engine says so, and still handles its own volatile events', async () => {
        await a.links.setReachable(false);
        for (const [data, volatile] of [
          ['kept', false],
          ['mine', true],
        ] as const) {
          await expect(a.cluster.emit('test.said', data, { volatile })).rejects.toMatchObject({
            code: expect.stringMatching(/^(unavailable|unknown_outcome)$/),
          });
        }
        await eventually(() => expect(a.recorder.from('a')).toEqual(['mine']));
        await expect(a.ask('test.ask', 1)).rejects.toMatchObject({ code: 'unavailable' });
        await expect(a.cluster.nodes()).rejects.toMatchObject({ code: 'unavailable' });
      });
    });
  });
}
