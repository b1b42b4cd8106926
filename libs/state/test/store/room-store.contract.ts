import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { LEAST_IDLE_MS } from '@wss/core';
import { type EncodedEvent, type LogEntry, lastSeq, type Position } from '@wss/protocol';
import { eventually, newSeed, Random } from '@wss/testing';
import { type CommitReply, type CommitRequest, encodeBody, type RoomStore } from '../../src/index.js';
import {
  type CommitEntry,
  type Committed,
  type DocumentWrite,
  type Judged,
  type RoomPart,
} from '../../src/store/room-store.js';
import { decodeWriterCall, type WriterCall } from '../../src/store/writer-call.js';
import type { Collected } from '../commits/collector.js';

/** An engine under test, with the faults that the suite needs. */
export interface StoreUnderTest {
  readonly store: RoomStore;
  /** The data goes on under another history, as after a restart or a failover without loss. */
  newHistory(): Promise<void>;
  /** Remembers the data as a replica has it now. */
  checkpoint(): Promise<void>;
  /** Fails over to what was remembered: everything since is lost. */
  loseSinceCheckpoint(): Promise<void>;
  /** Deletes everything, as FLUSHALL would. */
  wipe(): Promise<void>;
  /** Lets the engine refuse to publish for the store, or ends that. */
  refusePublications(refused: boolean): Promise<void>;
  /** Sets the room's number back and nothing else, as a script leaves it that stops before it writes the meta. */
  writtenInPart(room: string, seq: number): Promise<void>;
  /** Loses a part of a room, as a server does that evicts a key. */
  losePart(room: string, part: RoomPart): Promise<void>;
  /** Channel of a room's events. */
  channelOf(room: string): string;
  /** Messages on a channel from now on. */
  subscribe(channel: string): Promise<Collected>;
  stop(): Promise<void>;
}

const DAY = 86_400_000;
/** How long the record of a node's lane is kept, ms. */
const NODE_LANE_MS = 900_000;
const HISTORY = { events: 1_000, ttlMs: DAY };

export function event(name: string, data: unknown = {}): EncodedEvent {
  return { event: JSON.stringify(name), data: JSON.stringify(data) };
}

export interface EntryInit extends Partial<Omit<CommitEntry, 'lane'>> {
  readonly lane?: string;
  readonly generation?: number;
  readonly endsAt?: number;
  /** Default no. */
  readonly ofNode?: boolean;
}

export function entry(n: number, init: EntryInit = {}): CommitEntry {
  const { lane = 's1', generation = 0, ofNode = false, ...rest } = init;
  const { endsAt = Date.now() + (ofNode ? NODE_LANE_MS / 2 : DAY), ...parts } = rest;
  return {
    lane: { id: lane, generation, endsAt, ...(ofNode && { ofNode }) },
    n,
    ack: 0,
    fingerprint: `f${n}`,
    events: [event('e', { n })],
    outcome: { kind: 'result', json: `{"n":${n}}` },
    ...parts,
  };
}

/** The promises of a room store, on any engine. */
export function roomStoreContract(name: string, create: () => Promise<StoreUnderTest>): void {
  describe(`${name} room store`, () => {
    let engine: StoreUnderTest;
    let room: string;

    beforeAll(async () => {
      engine = await create();
    });
    afterAll(() => engine?.stop());
    beforeEach(() => {
      room = `board:${randomUUID()}`;
    });

    function commit(
      entries: readonly CommitEntry[],
      documents: readonly DocumentWrite[] = [],
      more: Partial<CommitRequest> = {},
    ): Promise<CommitReply> {
      const request = { room, entries, documents, history: HISTORY, idleTtlMs: 0 };
      return engine.store.commit({ ...request, ...more });
    }
    async function committed(...args: Parameters<typeof commit>): Promise<Committed> {
      const reply = await commit(...args);
      if (reply.status !== 'committed') throw new Error(`judged: ${JSON.stringify(reply.verdicts)}`);
      return reply;
    }
    async function judged(...args: Parameters<typeof commit>): Promise<Judged> {
      const reply = await commit(...args);
      if (reply.status !== 'judged') throw new Error('committed');
      return reply;
    }
    const verdicts = async (...args: Parameters<typeof commit>): Promise<unknown[]> =>
      (await judged(...args)).verdicts.map((verdict) =>
        'expected' in verdict ? [verdict.kind, verdict.expected] : verdict.kind,
      );
    const resume = (from?: Position, more: object = {}) =>
      engine.store.resume({ room, idleTtlMs: 0, ...(from && { from }), ...more });
    const top = async (): Promise<Position> => (await resume()).position;
    const log = async (): Promise<readonly LogEntry[]> =>
      (await resume(undefined, { newest: 10_000 })).entries;

    describe('the log', () => {
      it('numbers events densely from 1, across commits, entries and events', async () => {
        const first = await committed([entry(1, { events: [event('a'), event('b')] }), entry(2)]);
        expect(first.seqs).toEqual([2, 3]);
        expect((await committed([entry(3)])).seqs).toEqual([4]);
        expect(await log()).toEqual([
          { first: 1, events: [event('a'), event('b')] },
          { first: 3, events: [event('e', { n: 2 })] },
          { first: 4, events: [event('e', { n: 3 })] },
        ]);
      });

      it('publishes each commit once, in order, with its position first', async () => {
        const channel = await engine.subscribe(engine.channelOf(room));
        const { position } = await committed([entry(1, { patch: '{"board":[]}' }), entry(2)]);
        await committed([entry(3)]);
        expect(await channel.next(2)).toEqual([
          `${position.epoch}:2 1\n1+\n"e"\n{"n":1}\n{"board":[]}\n1\n"e"\n{"n":2}`,
          `${position.epoch}:3 3\n1\n"e"\n{"n":3}`,
        ]);
      });

      it('publishes nothing for records without events', async () => {
        const channel = await engine.subscribe(engine.channelOf(room));
        await committed([entry(1, { events: [] })]);
        await committed([entry(2)]);
        expect((await channel.next(1))[0]).toContain('{"n":2}');
      });

      it('keeps at least the events of its history and says when more is asked', async () => {
        const start = await top();
        for (let n = 1; n <= 400; n++) {
          await committed([entry(n, { ack: n - 1 })], [], { history: { events: 10, ttlMs: DAY } });
        }
        const { epoch } = start;
        expect((await resume({ epoch, seq: 390 })).entries.map(({ first }) => first)).toEqual(
          Array.from({ length: 10 }, (_, i) => 391 + i),
        );
        const reply = await resume(start);
        expect([reply.reason, reply.entries]).toEqual(['trimmed', []]);
      });

      it('R16: gives a reader inside of a commit whole commands, none twice and none left out', async () => {
        const two = [event('a'), event('b')];
        const { position } = await committed([entry(1), entry(2, { events: two, patch: '{}' }), entry(3)]);
        await committed([entry(4)]);
        const firsts = async (seq: number): Promise<number[]> =>
          (await resume({ ...position, seq })).entries.map(({ first }) => first);
        expect(await firsts(0)).toEqual([1, 2, 4, 5]);
        expect(await firsts(1)).toEqual([2, 4, 5]);
        expect(await firsts(3)).toEqual([4, 5]);
        expect(await firsts(4)).toEqual([5]);
        const newest = await resume(undefined, { newest: 2 });
        expect(newest.entries.map(({ first }) => first)).toEqual([4, 5]);
      });

      it('R32: keeps the events of its history where a lost meta named the epochs that had them', async () => {
        const history = { events: 250, ttlMs: DAY };
        const batch = (lane: string, count: number) =>
          committed(
            Array.from({ length: count }, (_, i) => entry(i + 1, { lane, ofNode: true })),
            [],
            { history },
          );
        await batch('@n.1', 200);
        await engine.newHistory();
        await batch('@n.2', 5);
        await engine.losePart(room, 'meta');
        await batch('@n.3', 60);
        const { entries } = await resume(undefined, { newest: 250 });
        expect(entries).toHaveLength(250);
      });

      it('keeps the events of its history, and not the more the bigger commits are, across epochs', async () => {
        const own = { lane: '@n.1', ofNode: true };
        const start = await top();
        const batches = async (from: number, to: number): Promise<void> => {
          for (let n = from; n <= to; n += 20) {
            const batch = Array.from({ length: 20 }, (_, i) => entry(n + i, own));
            await committed(batch, [], { history: { events: 50, ttlMs: DAY } });
          }
        };
        await batches(1, 3_000);
        const { epoch } = await top();
        expect((await resume({ epoch, seq: 2_950 })).entries).toHaveLength(50);
        expect((await resume(start, { most: 10_000 })).reason).toBe('trimmed');
        await engine.newHistory();
        await batches(3_001, 3_020);
        const { entries } = await resume({ epoch, seq: 2_970 });
        expect(entries.map(({ first }) => first)).toEqual(Array.from({ length: 50 }, (_, i) => 2_971 + i));
      });

      it('loses its entries, never its numbers or documents, when the history has aged', async () => {
        const documents = [{ name: 'board', base: '', json: '1', entry: 0 }];
        const { position } = await committed([entry(1)], documents, { history: { events: 9, ttlMs: 1 } });
        await eventually(async () => (await log()).length === 0);
        expect((await resume(position)).reason).toBeUndefined();
        expect((await resume({ ...position, seq: 0 })).reason).toBe('trimmed');
        expect((await resume(undefined, { documents: true })).documents.get('board')?.json).toBe('1');
        expect((await committed([entry(2)])).seqs).toEqual([2]);
      });
    });

    describe('documents', () => {
      it('are written with the position of the last event of the entry that changed them (R3)', async () => {
        const reply = await committed(
          [entry(1, { events: [event('a'), event('b')] }), entry(2)],
          [
            { name: 'board', base: '', json: '{"x":1}', entry: 0 },
            { name: 'meta', base: '', json: '[]', entry: 1 },
          ],
        );
        const { epoch } = reply.position;
        const { documents } = await resume(undefined, { documents: true });
        expect(Object.fromEntries(documents)).toEqual({
          board: { position: `${epoch}:2`, json: '{"x":1}' },
          meta: { position: `${epoch}:3`, json: '[]' },
        });
      });

      it('at another position refuse the whole commit and come with the answer', async () => {
        const { position } = await committed([entry(1)], [{ name: 'board', base: '', json: '1', entry: 0 }]);
        const base = `${position.epoch}:1`;
        const reply = await judged([entry(2)], [{ name: 'board', base: '', json: '2', entry: 0 }]);
        expect([reply.conflict, reply.verdicts]).toEqual([true, [{ kind: 'ok' }]]);
        expect(reply.documents.get('board')).toEqual({ position: base, json: '1' });
        expect((await top()).seq).toBe(1);
        await committed([entry(2)], [{ name: 'board', base, json: '2', entry: 0 }]);
      });

      it('that were only read are checked too', async () => {
        await committed([entry(1)], [{ name: 'board', base: '', json: '1', entry: 0 }]);
        expect((await judged([entry(2)], [{ name: 'board', base: '' }])).conflict).toBe(true);
      });
    });

    describe('the queue of nodes that write one room', () => {
      const STALE = [{ name: 'board', base: '', json: '0', entry: 0 }];
      let n: number;
      let base: string;

      beforeEach(async () => {
        n = 0;
        base = '';
        await write();
      });
      /** A commit that counts. */
      async function write(inQueue?: string): Promise<Committed> {
        const documents = [{ name: 'board', base, json: String(++n), entry: 0 }];
        const reply = await committed([entry(n)], documents, inQueue === undefined ? {} : { inQueue });
        base = `${reply.position.epoch}:${reply.position.seq}`;
        return reply;
      }
      const lose = async (inQueue?: string): Promise<number | undefined> =>
        (await judged([entry(n + 1)], STALE, inQueue === undefined ? {} : { inQueue })).ahead;
      const listen = async (...nodes: string[]) =>
        Promise.all(nodes.map((node) => engine.subscribe(engine.store.callChannel(room, node))));
      const called = async (calls: { next(count: number): Promise<string[]> }): Promise<WriterCall> =>
        decodeWriterCall((await calls.next(1))[0]!);

      it('tells each loser how many go first, once, and who does not stand in it nothing', async () => {
        expect([await lose('a'), await lose('b'), await lose(), await lose('b'), await lose('a')]).toEqual([
          0,
          1,
          undefined,
          1,
          0,
        ]);
        expect(
          (await judged([entry(n + 1)], STALE, { inQueue: 'c', judgeOnly: true })).ahead,
        ).toBeUndefined();
        expect((await judged([entry(n + 2)], [], { inQueue: 'c' })).ahead).toBeUndefined();
        expect(await lose('d')).toBe(2);
      });

      it('has no part in a room that one node writes', async () => {
        expect([(await write('a')).ahead, (await write('a')).ahead, (await write()).ahead]).toEqual([
          0, 0, 0,
        ]);
      });

      it('calls the next one after each commit, with the documents, and lets who has written stand last', async () => {
        const [a, b] = (await listen('a', 'b')) as [Collected, Collected];
        await lose('a');
        await lose('b');
        const first = await write('a');
        expect(first.ahead).toBe(1);
        expect(await called(b)).toEqual({
          position: first.position,
          documents: new Map([['board', { position: base, json: '2' }]]),
        });
        const second = await write('b');
        expect([second.ahead, (await called(a)).position]).toEqual([1, second.position]);
      });

      it('keeps the call of a node while a node that was not in it writes', async () => {
        const [a] = (await listen('a', 'b')) as [Collected];
        await lose('a');
        await lose('b');
        expect([(await write('c')).ahead, (await write()).ahead]).toEqual([2, 3]);
        expect([await lose('a'), await lose('c'), a.messages]).toEqual([0, 2, []]);
      });

      it('drops who was called when one that waits overtakes it', async () => {
        const [, , c] = (await listen('a', 'b', 'c')) as [Collected, Collected, Collected];
        for (const node of ['a', 'b', 'c']) await lose(node);
        expect((await write('b')).ahead).toBe(1);
        await called(c);
        expect(await lose('a')).toBe(2);
      });

      it('drops who does not listen, and is empty when nobody else waits', async () => {
        const [c] = (await listen('c')) as [Collected];
        for (const node of ['a', 'b', 'c']) await lose(node);
        expect((await write('a')).ahead).toBe(1);
        await called(c);
        for (const node of ['x', 'y']) await lose(node);
        expect((await write('c')).ahead).toBe(0);
        expect((await write('c')).ahead).toBe(0);
      });

      it('is left by who has nothing to write; the next one is called if it was the first', async () => {
        const [b] = (await listen('b', 'c')) as [Collected];
        for (const node of ['a', 'b', 'c']) await lose(node);
        await engine.store.leaveQueue(room, 'c');
        await engine.store.leaveQueue(room, 'z');
        expect(b.messages).toEqual([]);
        await engine.store.leaveQueue(room, 'a');
        expect(await called(b)).toEqual({ position: await top(), documents: new Map() });
        expect([await lose('b'), await lose('a')]).toEqual([0, 1]);
      });

      it('calls without the documents where they are long', async () => {
        const [b] = (await listen('b')) as [Collected];
        for (const node of ['a', 'b']) await lose(node);
        const long = [{ name: 'board', base, json: JSON.stringify('x'.repeat(20_000)), entry: 0 }];
        const { position } = await committed([entry(n + 1)], long, { inQueue: 'a' });
        expect(await called(b)).toEqual({ position, documents: new Map() });
      });

      it('takes 64 nodes at most', async () => {
        for (let i = 0; i < 64; i++) expect(await lose(`n${i}`)).toBe(i);
        expect(await lose('more')).toBeUndefined();
      });

      it('survives a new history, and moves on with commits that log nothing', async () => {
        const [b] = (await listen('b')) as [Collected];
        for (const node of ['a', 'b']) await lose(node);
        await engine.newHistory();
        const { ahead, position } = await committed([entry(n + 1, { events: [] })], [], { inQueue: 'a' });
        expect([ahead, await called(b)]).toEqual([1, { position, documents: new Map() }]);
      });
    });

    describe('R35: publications that the engine refuses', () => {
      const board = (base: string, json: string) => [{ name: 'board', base, json, entry: 0 }];
      afterEach(() => engine.refusePublications(false));

      it('cost nothing of the commit, which tells of it', async () => {
        const channel = await engine.subscribe(engine.channelOf(room));
        await engine.refusePublications(true);
        const counters = [{ name: 'c', by: 5 }];
        const {
          unheard,
          position,
          counters: results,
        } = await committed([entry(1, { counters })], board('', '1'));
        expect([unheard, position.seq, results]).toEqual([true, 1, [5]]);
        const { documents, entries, n } = await resume(undefined, { documents: true, newest: 9, lane: 's1' });
        expect([documents.get('board')?.json, entries.length, n]).toEqual(['1', 1, 1]);
        expect(await verdicts([entry(1)])).toEqual(['duplicate']);
        expect((await committed([entry(2, { events: [] })])).unheard).toBeUndefined();
        await engine.refusePublications(false);
        const next = await committed([entry(3)], board(`${position.epoch}:1`, '2'));
        expect([next.unheard, next.position]).toEqual([undefined, { ...position, seq: 2 }]);
        expect((await channel.next(1))[0]).toContain('{"n":3}');
      });

      it('cost nothing of a commit in a room that several nodes write', async () => {
        const first = await committed([entry(1)], board('', '1'));
        for (const node of ['a', 'b', 'c']) await commit([entry(2)], board('', '0'), { inQueue: node });
        const calls = await engine.subscribe(engine.store.callChannel(room, 'c'));
        await engine.refusePublications(true);
        const base = `${first.position.epoch}:1`;
        const second = await committed([entry(2)], board(base, '2'), { inQueue: 'a' });
        const silent = await committed([entry(3, { events: [] })], [], { inQueue: 'b' });
        expect([second.unheard, second.position.seq, silent.unheard]).toEqual([true, 2, true]);
        await engine.store.leaveQueue(room, 'a');
        await engine.refusePublications(false);
        const third = await committed([entry(4)], board(`${first.position.epoch}:2`, '3'));
        expect([third.position.seq, third.unheard, calls.messages]).toEqual([3, undefined, []]);
        expect((await resume(undefined, { newest: 9 })).entries.map((item) => item.first)).toEqual([1, 2, 3]);
      });
    });

    describe('R35: a commit that was written in part', () => {
      let before: Position;
      /** Everything of the second commit is there but its number. */
      beforeEach(async () => {
        before = (await committed([entry(1)])).position;
        await committed([entry(2)], [{ name: 'board', base: '', json: '2', entry: 0 }]);
        await engine.writtenInPart(room, 1);
      });
      async function expectDeclared(): Promise<void> {
        for (const seq of [0, 1, 2]) {
          const reply = await resume({ ...before, seq });
          expect([reply.reason, reply.entries]).toEqual(['unknown_epoch', []]);
        }
        const { lineage, position, entries } = await resume(undefined, { newest: 9 });
        expect([lineage, position.epoch === before.epoch]).toEqual([[], false]);
        expect(entries.map(({ first }) => first)).toEqual(
          Array.from({ length: entries.length }, (_, i) => i + 1),
        );
        expect(entries.at(-1)?.first).toBe(position.seq);
      }

      it.each([1, 2, 3])('is found by the next one, of %i events, which goes on behind it', async (count) => {
        const next = entry(3, { events: Array.from({ length: count }, () => event('e')) });
        const { position, seqs } = await committed([next]);
        expect(seqs).toEqual([2 + count]);
        expect(position.epoch).not.toBe(before.epoch);
        for (const seq of [0, 1, 2]) expect((await resume({ ...before, seq })).reason).toBe('unknown_epoch');
        expect(await verdicts([entry(2)])).toEqual(['duplicate']);
        expect((await resume(undefined, { newest: 9 })).entries).toHaveLength(3);
      });

      it('is found by a reader', async () => {
        expect((await resume({ ...before, seq: 0 })).reason).toBe('unknown_epoch');
        expect((await committed([entry(3)])).seqs).toEqual([3]);
        await expectDeclared();
      });

      it('is found when the newest events are read', async () => {
        expect((await log()).map(({ first }) => first)).toEqual([1, 2]);
        await expectDeclared();
      });

      it('is found when the history changes, and whatever comes next does not cover it', async () => {
        await engine.newHistory();
        expect((await top()).seq).toBe(2);
        await committed([entry(3, { events: [event('a'), event('b')] })]);
        for (const seq of [0, 1, 2]) expect((await resume({ ...before, seq })).reason).toBe('unknown_epoch');
      });
    });

    describe('numbered commands', () => {
      it('take effect once: a repeat gets its record and nothing is written', async () => {
        const { position } = await committed([entry(1)]);
        const reply = await judged([entry(1)]);
        expect(reply.verdicts).toEqual([
          {
            kind: 'duplicate',
            record: { seq: 1, fingerprint: 'f1', outcome: { kind: 'result', json: '{"n":1}' } },
          },
        ]);
        expect(await top()).toEqual(position);
      });

      it('R2: refuse a batch with one repeat whole, with a verdict each', async () => {
        await committed([entry(1)], [{ name: 'board', base: '', json: '1', entry: 0 }]);
        const { position } = await resume();
        const base = `${position.epoch}:1`;
        const batch = [entry(1), entry(1, { lane: 's2' })];
        expect(await verdicts(batch, [{ name: 'board', base, json: '3', entry: 1 }])).toEqual([
          'duplicate',
          'ok',
        ]);
        expect((await top()).seq).toBe(1);
        expect((await resume(undefined, { documents: true })).documents.get('board')?.json).toBe('1');
      });

      it('come in order: a hole names the number that is missing', async () => {
        await committed([entry(1)]);
        expect(await verdicts([entry(3)])).toEqual([['out_of_order', 2]]);
        expect(await verdicts([entry(3), entry(2)])).toEqual([['out_of_order', 2], 'ok']);
      });

      it('judge a number that stands twice in a batch after the batch', async () => {
        expect(await verdicts([entry(1), entry(1)])).toEqual(['ok', 'later']);
      });

      it('R4: are recorded in their place when they failed, without a sequence number', async () => {
        const error = { kind: 'error', json: '{"code":"not_found"}' } as const;
        const reply = await committed([entry(1), entry(2, { events: [], outcome: error }), entry(3)]);
        expect(reply.seqs).toEqual([1, 1, 2]);
        expect((await judged([entry(2)])).verdicts[0]).toMatchObject({ record: { outcome: error } });
      });

      it('R6: are refused after the end of their session, number 1 included', async () => {
        expect(await verdicts([entry(1, { endsAt: Date.now() - 1_000 })])).toEqual(['expired']);
        await committed([entry(1)]);
        expect(await verdicts([entry(1, { endsAt: Date.now() - 1_000 })])).toEqual(['expired']);
      });

      it('R7: without a record, a later number is refused: by order after a rollback, else as expired', async () => {
        const { position } = await committed([entry(1, { lane: 'other' })]);
        expect(await verdicts([entry(2)])).toEqual(['expired']);
        expect(await verdicts([entry(2, { epoch: position.epoch })])).toEqual(['expired']);
        await engine.newHistory();
        expect(await verdicts([entry(2, { epoch: position.epoch })])).toEqual([['out_of_order', 1]]);
        expect(await verdicts([entry(2, { epoch: '7.never' })])).toEqual(['expired']);
      });

      it('R8: refuse other content under a used number, and older generations', async () => {
        await committed([entry(1, { generation: 2 })]);
        expect(await verdicts([entry(1, { generation: 2, fingerprint: 'other' })])).toEqual(['reused']);
        expect(await verdicts([entry(2, { generation: 1 })])).toEqual(['expired']);
        await committed([entry(2, { generation: 3 })]);
        expect(await verdicts([entry(3, { generation: 2 })])).toEqual(['expired']);
      });

      it('R8: refuse an older generation also behind the newer one in the same batch', async () => {
        const batch = [entry(1, { generation: 2 }), entry(2, { generation: 1 })];
        expect(await verdicts(batch)).toEqual(['ok', 'expired']);
      });

      it('R9: keep at most 32 replies that were not acknowledged', async () => {
        for (let n = 1; n <= 32; n++) await committed([entry(n)]);
        expect(await verdicts([entry(33)])).toEqual(['window']);
        await committed([entry(33, { ack: 20 })]);
        expect((await judged([entry(20)])).verdicts).toEqual([{ kind: 'duplicate' }]);
        expect((await judged([entry(21)])).verdicts[0]).toHaveProperty('record');
      });

      it('R9: clamp what is acknowledged to what exists', async () => {
        await committed([entry(1, { ack: 500 })]);
        expect((await judged([entry(1)])).verdicts[0]).toHaveProperty('record');
        expect(await verdicts([entry(3, { ack: 500 })])).toEqual([['out_of_order', 2]]);
      });

      it("have no window on a node's own lane", async () => {
        const own = { lane: '@n.1', ofNode: true };
        const reply = await committed(Array.from({ length: 200 }, (_, i) => entry(i + 1, own)));
        expect(reply.seqs).toHaveLength(200);
        await committed([entry(201, { ...own, ack: 200 })]);
        expect((await judged([entry(200, own)])).verdicts).toEqual([{ kind: 'duplicate' }]);
      });

      it("R30: are refused on a node's own lane that is over, or that would outlive its record", async () => {
        const own = (leftMs: number) => ({ lane: '@n.1', ofNode: true, endsAt: Date.now() + leftMs });
        for (const leftMs of [-1_000, NODE_LANE_MS + 60_000])
          expect(await verdicts([entry(1, own(leftMs))])).toEqual(['expired']);
        await committed([entry(1, own(NODE_LANE_MS / 2))]);
        expect(await verdicts([entry(1, own(60_000))])).toEqual(['duplicate']);
        expect(await verdicts([entry(1, own(-1_000))])).toEqual(['expired']);
      });

      it('R17: are refused when the room has been born anew under their record', async () => {
        await committed([entry(1)]);
        await engine.losePart(room, 'meta');
        expect(await verdicts([entry(2)])).toEqual(['expired']);
        expect(await verdicts([entry(1)])).toEqual(['expired']);
      });

      it('can be judged without being written', async () => {
        await committed([entry(1)]);
        expect(await verdicts([entry(1), entry(2)], [], { judgeOnly: true })).toEqual(['duplicate', 'ok']);
        expect((await top()).seq).toBe(1);
      });
    });

    describe('counters', () => {
      const add = (by: number, max = 10) => [{ name: 'seats', by, min: 0, max }];
      it('change with the commit, and their values reach event and reply', async () => {
        const events = [{ event: '"taken"', data: '{"left":\x010\x02}' }];
        const outcome = { kind: 'result', json: '{"seats":\x010\x02}' } as const;
        const reply = await committed([
          entry(1, { counters: add(4) }),
          entry(2, { counters: add(3), events, outcome }),
        ]);
        expect(reply.counters).toEqual([4, 7]);
        expect((await log())[1]!.events[0]!.data).toBe('{"left":7}');
        const { verdicts: again } = await judged([entry(2)]);
        expect(again[0]).toMatchObject({ record: { outcome: { json: '{"seats":7}' } } });
      });

      it('refuse a commit that would leave the bounds, and name the operation', async () => {
        await committed([entry(1, { counters: add(9) })]);
        const reply = await judged([entry(2, { counters: add(1) }), entry(3, { counters: add(1) })]);
        expect(reply.verdicts).toEqual([{ kind: 'ok' }, { kind: 'bound', operation: 1 }]);
        expect(await verdicts([entry(2, { counters: add(-10) })])).toEqual(['bound']);
        expect((await committed([entry(2, { counters: add(1) })])).counters).toEqual([10]);
      });

      it('count exactly up to the largest safe integer', async () => {
        const big = (by: number) => ({ counters: [{ name: 'big', by }] });
        await committed([entry(1, big(Number.MAX_SAFE_INTEGER - 1))]);
        expect((await committed([entry(2, big(1))])).counters).toEqual([Number.MAX_SAFE_INTEGER]);
        expect(await verdicts([entry(3, big(1))])).toEqual(['bound']);
      });
    });

    describe('epochs', () => {
      it('R13: change with the history and are stored before anything is answered', async () => {
        const before = await top();
        await engine.newHistory();
        const refusal = await judged([entry(9)]);
        expect(refusal.position.epoch).not.toBe(before.epoch);
        expect((await top()).epoch).toBe(refusal.position.epoch);
        expect(Number.parseInt(refusal.position.epoch, 10)).toBeGreaterThan(
          Number.parseInt(before.epoch, 10),
        );
      });

      it('let a reader on the surviving prefix go on across them', async () => {
        const { position } = await committed([entry(1), entry(2)]);
        await engine.newHistory();
        await committed([entry(3)]);
        await engine.newHistory();
        await committed([entry(4)]);
        const reply = await resume({ ...position, seq: 1 });
        expect(reply.reason).toBeUndefined();
        expect(reply.entries.map(({ first }) => first)).toEqual([2, 3, 4]);
      });

      it('tell a reader beyond the surviving prefix exactly what was lost', async () => {
        await committed([entry(1)]);
        await engine.checkpoint();
        const lost = await committed([entry(2), entry(3)]);
        await engine.loseSinceCheckpoint();
        await committed([entry(2, { fingerprint: 'anew', epoch: lost.position.epoch })]);
        const reply = await resume(lost.position, { lane: 's1' });
        expect([reply.reason, reply.lost, reply.n]).toEqual(['rolled_back', { from: 2, to: 3 }, 2]);
        expect((await resume({ ...lost.position, seq: 1 })).entries.map(({ first }) => first)).toEqual([2]);
      });

      it('R3: keep a document of the dead branch from being written over the surviving one', async () => {
        await committed([entry(1)], [{ name: 'board', base: '', json: '1', entry: 0 }]);
        await engine.checkpoint();
        const { epoch } = (await top()) satisfies Position;
        const dead = await committed(
          [entry(2)],
          [{ name: 'board', base: `${epoch}:1`, json: '2', entry: 0 }],
        );
        await engine.loseSinceCheckpoint();
        await committed(
          [entry(1, { lane: 's2' })],
          [{ name: 'board', base: `${epoch}:1`, json: '3', entry: 0 }],
        );
        const base = `${dead.position.epoch}:2`;
        const reply = await judged([entry(2)], [{ name: 'board', base, json: '4', entry: 0 }]);
        expect([reply.conflict, reply.documents.get('board')?.json]).toEqual([true, '3']);
      });

      it('are unknown after the data was wiped, so that no number is taken for another', async () => {
        const { position } = await committed([entry(1)]);
        await engine.wipe();
        expect((await resume(position)).reason).toBe('unknown_epoch');
        expect((await resume({ ...position, seq: 0 })).reason).toBe('unknown_epoch');
      });
    });

    describe('endings', () => {
      const documents = [{ name: 'board', base: '', json: '1', entry: 0 }];
      const counters = [{ name: 'seats', by: 500 }];
      /** Ends when it is not used for a millisecond; resolves when that has passed. */
      const endsIdle = async (): Promise<Committed> => {
        const reply = await committed([entry(1, { counters })], documents, { idleTtlMs: 1 });
        await eventually(async () => (await engine.store.tops([room]))[0] === undefined);
        return reply;
      };

      it('R36: of an idle room leave its numbers and lanes, and nothing else', async () => {
        const { position } = await endsIdle();
        const reply = await resume(undefined, { newest: 100, documents: true, lane: 's1' });
        expect(reply.position.seq).toBe(1);
        expect(reply.position.epoch).not.toBe(position.epoch);
        expect([reply.entries, reply.documents, reply.lineage, reply.n]).toEqual([[], new Map(), [], 1]);
        expect((await judged([entry(1)])).verdicts[0]).toMatchObject({ record: { seq: 1 } });
        const next = await committed([entry(2, { counters })], documents);
        expect([next.seqs, next.counters]).toEqual([[2], [500]]);
        expect(await verdicts([entry(1, { lane: 's2', generation: 0 }), entry(4)])).toEqual([
          'ok',
          ['out_of_order', 3],
        ]);
      });

      it('R36: make every older position unknown, and are no loss', async () => {
        const { position } = await endsIdle();
        const reply = await resume(position);
        expect([reply.reason, reply.lostParts]).toEqual(['unknown_epoch', undefined]);
        expect((await resume({ ...position, seq: 0 })).reason).toBe('unknown_epoch');
        expect((await resume(reply.position)).reason).toBeUndefined();
      });

      it('R36: may be many, on histories of their own, and a commit begins the next life as a reader does', async () => {
        const epochs = new Set<string>();
        for (const n of [1, 2, 3, 4]) {
          const { position, seqs } = await committed([entry(n)], documents, { idleTtlMs: 1 });
          epochs.add(position.epoch);
          expect(seqs).toEqual([n]);
          await eventually(async () => (await engine.store.tops([room]))[0] === undefined);
          if (n === 2) await engine.newHistory();
        }
        expect(epochs.size).toBe(4);
      });

      it('R36: have commands of a lane without a record begin at 1', async () => {
        const { position } = await endsIdle();
        const other = { lane: 's2', epoch: position.epoch };
        expect(await verdicts([entry(2, other)])).toEqual(['expired']);
        await committed([entry(1, other)]);
      });

      it('R17: do not come while the room is kept', async () => {
        const { position } = await committed([entry(1)], documents, { idleTtlMs: DAY });
        await engine.store.keep(room, 1);
        await eventually(async () => (await engine.store.tops([room]))[0] === undefined);
        await engine.store.keep(room, DAY);
        expect(await engine.store.tops([room])).toEqual([undefined]);
        expect((await resume(position)).reason).toBe('unknown_epoch');
        const again = await committed([entry(2)], documents, { idleTtlMs: 1_000 });
        await engine.store.keep(room, DAY);
        expect(await engine.store.tops([room])).toEqual([again.position]);
      });

      it('R17: come at no life that may be declared, whatever else is', async () => {
        const seed = newSeed();
        writeSync(1, `lives: SEED=${seed}\n`);
        const random = new Random(seed);
        const long = [2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER];
        for (let turn = 0; turn < 60; turn++) {
          room = `board:${randomUUID()}`;
          const idleTtlMs = random.pick([0, LEAST_IDLE_MS, ...long]);
          const history = { events: random.pick([1, 2, ...long]), ttlMs: random.pick([1, 1, ...long]) };
          const more = { idleTtlMs, history };
          const made = await resume(undefined, { idleTtlMs });
          for (let n = 1; n <= 3; n++) {
            if (random.below(2) === 0) await engine.store.keep(room, idleTtlMs);
            if (random.below(2) === 0) await resume(undefined, { idleTtlMs, holds: true });
            const { seqs, position } = await committed(
              [entry(n, { counters })],
              n === 1 ? documents : [],
              more,
            );
            expect([seqs, position.epoch]).toEqual([[n], made.position.epoch]);
            expect(await engine.store.tops([room])).toEqual([position]);
            if (history.ttlMs > 1) expect((await log()).at(-1)).toMatchObject({ first: n });
          }
          const {
            documents: found,
            reason,
            lostParts,
          } = await resume(undefined, { idleTtlMs, documents: true });
          expect([found.size, reason, lostParts]).toEqual([1, undefined, undefined]);
        }
      });

      it('come to a room in which nothing was committed too, its time after it was made', async () => {
        const made = await resume(undefined, { idleTtlMs: 1 });
        await eventually(async () => (await engine.store.tops([room]))[0] === undefined);
        expect((await resume(made.position, { idleTtlMs: DAY })).reason).toBe('unknown_epoch');
        const again = await top();
        await engine.store.keep(room, DAY);
        expect(await top()).toEqual(again);
        expect((await committed([entry(1)])).position).toEqual({ ...again, seq: 1 });
      });

      it('are none of a room that is kept for good, whatever it was before', async () => {
        await resume(undefined, { idleTtlMs: 20 });
        await committed([entry(1)], documents, { idleTtlMs: 20 });
        const { position } = await committed([entry(2)]);
        const end = Date.now() + 40;
        await eventually(() => Promise.resolve(Date.now() > end));
        const reply = await resume(position, { documents: true });
        expect([reply.reason, reply.documents.size]).toEqual([undefined, 1]);
      });
    });

    describe('what the engine has lost', () => {
      const documents = [{ name: 'board', base: '', json: '1', entry: 0 }];
      const counters = [{ name: 'seats', by: 500 }];
      const use = (): Promise<Committed> => committed([entry(1, { counters })], documents);

      it.each(['documents', 'log', 'counters', 'meta'] as const)(
        'R32: of %s is declared to who reads, once, and numbers go on',
        async (part) => {
          const { position } = await use();
          await engine.losePart(room, part);
          const reply = await resume(position, { documents: true });
          expect([reply.reason, reply.lostParts, reply.lineage]).toEqual(['unknown_epoch', [part], []]);
          expect(reply.position.seq).toBe(1);
          expect(reply.documents.size).toBe(part === 'documents' ? 0 : 1);
          const again = await resume(position);
          expect([again.reason, again.lostParts, again.position]).toEqual([
            'unknown_epoch',
            undefined,
            reply.position,
          ]);
          expect((await committed([entry(1, { lane: 's2' })])).position).toEqual({
            ...reply.position,
            seq: 2,
          });
        },
      );

      it('R32: of documents is declared by the commit that finds none, and lanes go on', async () => {
        const { position } = await use();
        await engine.losePart(room, 'documents');
        const reply = await committed([entry(2)], documents);
        expect([reply.lostParts, reply.seqs]).toEqual([['documents'], [2]]);
        expect((await resume(position)).reason).toBe('unknown_epoch');
        expect((await judged([entry(1)])).verdicts[0]).toMatchObject({ kind: 'duplicate' });
      });

      it('R32: of documents refuses who had read them', async () => {
        const { position } = await use();
        await engine.losePart(room, 'documents');
        const base = `${position.epoch}:1`;
        const reply = await judged([entry(2)], [{ name: 'board', base, json: '2', entry: 0 }]);
        expect([reply.conflict, reply.lostParts, reply.documents.size]).toEqual([true, ['documents'], 0]);
      });

      it('R32: of counters is declared by the commit that finds none', async () => {
        const { position } = await use();
        await engine.losePart(room, 'counters');
        const reply = await committed([entry(2, { counters: [{ name: 'seats', by: 1 }] })]);
        expect([reply.lostParts, reply.counters]).toEqual([['counters'], [1]]);
        expect(reply.position.epoch).not.toBe(position.epoch);
        expect((await resume(position)).reason).toBe('unknown_epoch');
      });

      it('R32: of the meta is declared by a commit, and the log takes what follows', async () => {
        for (let n = 1; n <= 5; n++) await committed([entry(n, { ack: n - 1 })], n === 1 ? documents : []);
        await engine.losePart(room, 'meta');
        const reply = await committed([entry(1, { lane: 's2' })]);
        expect([reply.lostParts, reply.seqs]).toEqual([['meta'], [6]]);
        const { entries, documents: left } = await resume(undefined, { newest: 1, documents: true });
        expect([entries.map(({ first }) => first), left.get('board')?.json]).toEqual([[6], '1']);
      });

      it('R32: is not what had its time: a log that has aged, a room that has ended', async () => {
        const { position } = await committed([entry(1)], documents, { history: { events: 9, ttlMs: 1 } });
        await eventually(async () => (await log()).length === 0);
        const reply = await resume({ ...position, seq: 0 }, { documents: true });
        expect([reply.reason, reply.lostParts]).toEqual(['trimmed', undefined]);
        await engine.store.keep(room, 1);
        await eventually(async () => (await engine.store.tops([room]))[0] === undefined);
        expect((await committed([entry(2, { counters })], documents)).lostParts).toBeUndefined();
      });

      it('R32: is not what was never written: counters and documents of a room that has only a log', async () => {
        await committed([entry(1)]);
        const reply = await committed([entry(2, { counters })], documents);
        expect([reply.lostParts, reply.counters]).toEqual([undefined, [500]]);
      });

      it('R32: is told of what came later in a life too', async () => {
        await committed([entry(1)], [], { idleTtlMs: DAY });
        await committed([entry(2, { counters })], documents, { idleTtlMs: DAY });
        await engine.losePart(room, 'counters');
        await engine.losePart(room, 'documents');
        expect((await resume()).lostParts?.toSorted()).toEqual(['counters', 'documents']);
      });
    });

    describe('resume', () => {
      it('starts at the live end, or with the newest events in whole commands', async () => {
        const { position } = await committed([entry(1, { events: [event('a'), event('b')] }), entry(2)]);
        expect(await resume()).toMatchObject({ position, entries: [] });
        expect((await resume(undefined, { newest: 2 })).entries.map(({ first }) => first)).toEqual([1, 3]);
      });
      it('returns a log in parts, each as big as it may be, and the documents with the last', async () => {
        const start = await top();
        for (let n = 1; n <= 40; n++) {
          const events = [event('e', { text: 'x'.repeat(n * 10) }), ...(n % 3 === 0 ? [event('f')] : [])];
          await committed(
            [entry(n, { events, ack: n - 1 })],
            n > 1 ? [] : [{ name: 'board', base: '', json: '1', entry: 0 }],
          );
          if (n === 20) await engine.newHistory();
        }
        const whole = await log();
        for (const limits of [
          { entries: 1, bytes: 65_536 },
          { entries: 7, bytes: 65_536 },
          { entries: 1_024, bytes: 1 },
          { entries: 1_024, bytes: 1_000 },
        ]) {
          for (const inEpoch of [true, false]) {
            const parts: (readonly LogEntry[])[] = [];
            for (let { epoch, seq: after } = start, more = true; more;) {
              const from = inEpoch ? { epoch, seq: after } : undefined;
              const reply = await resume(from, { limits, documents: true, ...(!from && { after }) });
              expect(reply.documents.size).toBe(reply.more ? 0 : 1);
              const size = reply.entries.reduce((sum, { events }) => sum + encodeBody({ events }).length, 0);
              expect(reply.entries.length === 1 || size <= limits.bytes).toBe(true);
              expect(reply.entries.length).toBeLessThanOrEqual(limits.entries);
              parts.push(reply.entries);
              ({ more } = reply);
              ({ epoch } = reply.position);
              after = lastSeq(reply.entries.at(-1)!);
            }
            expect(parts.flat()).toEqual(whole);
          }
        }
      });
      it('never serves more than it may', async () => {
        const start = await top();
        await committed([entry(1), entry(2), entry(3)]);
        expect((await resume(start, { most: 3 })).entries).toHaveLength(3);
        const reply = await resume(start, { most: 2 });
        expect([reply.reason, reply.entries]).toEqual(['too_far', []]);
      });
      it('says rolled_back of a position from the future', async () => {
        const { position } = await committed([entry(1)]);
        const reply = await resume({ ...position, seq: 7 });
        expect([reply.reason, reply.lost]).toEqual(['rolled_back', { from: 2, to: 7 }]);
      });
      it('knows the highest number of a lane', async () => {
        expect((await resume(undefined, { lane: 's1' })).n).toBeUndefined();
        await committed([entry(1), entry(2)]);
        expect((await resume(undefined, { lane: 's1' })).n).toBe(2);
      });
    });
  });
}
