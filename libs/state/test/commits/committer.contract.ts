import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import {
  type Client,
  Command,
  CommandOrder,
  type CommandNumber,
  GatewayError,
  RoomDocument,
} from '@wss/core';
import type { ClientFrame, LogEntry } from '@wss/protocol';
import { eventually } from '@wss/testing';
import { IsInt, Max } from 'class-validator';
import jsonPatch from 'fast-json-patch';
import {
  appendWork,
  type CommitReply,
  Committer,
  DocumentRegistry,
  DocumentType,
  RoomStateRepository,
  type RoomStore,
} from '../../src/index.js';
import { recordWork, type UpdateFunction } from '../../src/commits/works.js';
import { type CallChannels } from '../../src/commits/writer-queue.js';
import { type WorkResult } from '../../src/commits/work.js';

const EVERYTHING = { entries: 100_000, bytes: 1e9 };

@RoomDocument('tally')
export class Tally {
  @IsInt()
  @Max(1_000_000)
  value = 0;

  by: Record<string, number> = {};
}

/** An engine under test, with the faults that the suite needs. */
export interface EngineUnderTest {
  /** A store with links of its own. */
  openStore(): Promise<{ readonly store: RoomStore; readonly channels: CallChannels }>;
  /** The next answers to the newest store are lost; its calls are carried out. */
  loseReplies(count: number): Promise<void>;
  /** The next calls of the newest store are carried out and answered with an error, as of a script that fails at its end. */
  failCalls(count: number): Promise<void>;
  /** Lets the engine refuse to publish for all stores, or ends that. */
  refusePublications(refused: boolean): Promise<void>;
  /** Lets the newest store reach its engine, or keeps it from that. */
  setReachable(reachable: boolean): Promise<void>;
  stop(): Promise<void>;
}

const types = {
  of: () => ({ type: 'tally', history: { events: 100_000, ttlMs: 86_400_000 }, idleTtlMs: 0 }),
};
/** Channels on which every call gets lost. */
const DEAF: CallChannels = { subscribe: () => Promise.resolve(), unsubscribe: () => undefined };
const client: Client = { id: 'c', user: 'ann', claims: {} };

/** One node: a repository with its own queue and links. */
class Node {
  readonly delivered: { room: string; entries: readonly LogEntry[] }[] = [];
  readonly tallies: RoomStateRepository<Tally>;

  constructor(
    readonly store: RoomStore,
    readonly committer: Committer,
  ) {
    this.tallies = new RoomStateRepository(new DocumentType(Tally), {
      store,
      committer,
      documents: new DocumentRegistry(),
    });
    committer.onCommitted((room, _epoch, entries) => this.delivered.push({ room, entries }));
  }
}

/** The promises of any number of nodes about commits on one engine. */
export function committerContract(name: string, create: () => Promise<EngineUnderTest>): void {
  describe(`commits on ${name}`, () => {
    let engine: EngineUnderTest;
    let room: string;
    let orders: Map<string, CommandOrder>;
    const nodes: Node[] = [];

    beforeAll(async () => {
      engine = await create();
    });
    afterAll(async () => {
      for (const { committer } of nodes) committer.close();
      await engine?.stop();
    });
    beforeEach(() => {
      room = `tally:${randomUUID()}`;
      orders = new Map();
    });

    async function newNode(patienceMs = 1_200, deaf = false, nodeId: string = randomUUID()): Promise<Node> {
      const { store, channels } = await engine.openStore();
      const options = { nodeId, patienceMs, channels: deaf ? DEAF : channels };
      const node = new Node(store, new Committer(store, types, options));
      nodes.push(node);
      return node;
    }

    interface CommandInit {
      readonly n?: number;
      readonly session?: string;
      readonly data?: unknown;
      readonly withinMs?: number;
      readonly epoch?: string;
      readonly generation?: number;
      readonly ack?: number;
    }
    function command(init: CommandInit = {}): Command {
      const { n, session = 's1', data = {}, withinMs = 10_000, epoch, generation = 1, ack = 0 } = init;
      const frame: ClientFrame = { event: 'tally.add', data, id: 1, room };
      const order = orders.get(session) ?? new CommandOrder();
      orders.set(session, order);
      const number: CommandNumber | undefined =
        n === undefined
          ? undefined
          : {
              session: `${room}/${session}`,
              generation,
              sessionEndsAt: Date.now() + 86_400_000,
              n,
              ack,
              ...(epoch !== undefined && { epoch }),
            };
      return new Command({
        frame,
        client,
        deadline: performance.now() + withinMs,
        order,
        ...(number && { number }),
      });
    }
    const add =
      (by = 1): UpdateFunction<Tally, number> =>
      (tally, draft) => {
        draft.append('tally.added', { by });
        return (tally.value += by);
      };
    async function update<R>(node: Node, fn: UpdateFunction<Tally, R>, init?: CommandInit): Promise<R> {
      const it = command(init);
      try {
        return await node.tallies.update(it, fn);
      } finally {
        it.pass();
      }
    }
    const codeOf = (work: Promise<unknown>): Promise<string> =>
      work.then(
        () => 'ok',
        (error: unknown) => (error instanceof GatewayError ? error.code : String(error)),
      );
    const logOf = async (node: Node): Promise<readonly LogEntry[]> =>
      (await node.store.resume({ room, idleTtlMs: 0, newest: 100_000, limits: EVERYTHING })).entries;

    it('loses no update and numbers every event without a gap, from three nodes at once', async () => {
      const three = [await newNode(), await newNode(), await newNode()];
      const values = await Promise.all(
        three.flatMap((node) => Array.from({ length: 200 }, () => update(node, add()))),
      );
      expect([...values].sort((a, b) => a - b)).toEqual(Array.from({ length: 600 }, (_, i) => i + 1));
      const { value, version } = await three[0]!.tallies.read({ room });
      expect([value.value, version]).toEqual([600, 600]);
      expect((await logOf(three[0]!)).map(({ first }) => first)).toEqual(values.map((_, i) => i + 1));
    });

    const change: UpdateFunction<Tally, void> = (tally, draft) => {
      draft.append('tally.added');
      if (tally.value % 2 === 0) draft.append('tally.even');
      tally.value++;
      tally.by[`k${tally.value % 5}`] = tally.value;
      if (tally.value % 7 === 0) delete tally.by[`k${(tally.value + 1) % 5}`];
    };
    /** Each writer sends its next command when the last one is answered, so that some come while others commit. */
    const inRounds = <R>(
      writers: number,
      times: number,
      act: (writer: number, round: number) => Promise<R>,
    ) =>
      Promise.all(
        Array.from({ length: writers }, async (_, writer) => {
          const results: R[] = [];
          for (let round = 0; round < times; round++) {
            // So that answers and commands do not fall into one turn of the event loop.
            for (let turns = writer % 4; turns > 0; turns--) await setImmediate();
            results.push(await act(writer, round));
          }
          return results;
        }),
      );
    /** Expects that the patches of these many commands, one after another, make the document. */
    async function expectFold(node: Node, commands: number): Promise<void> {
      let copy: object = { value: 0, by: {} };
      let base = 0;
      const patched = (await logOf(node)).filter(({ patch }) => patch !== undefined);
      expect(patched.length).toBe(commands);
      for (const entry of patched) {
        const last = entry.first + entry.events.length - 1;
        const text = entry.patch!.replace(/\x03(\d+)\x04/, (_all, back: string) =>
          String(last - Number(back)),
        );
        const { tally } = JSON.parse(text) as { tally: { base: number; ops: jsonPatch.Operation[] } };
        expect(tally.base).toBe(base);
        copy = jsonPatch.applyPatch(copy, tally.ops, true).newDocument;
        base = last;
      }
      const { value, version } = await node.tallies.read({ room });
      expect([copy, base]).toEqual([{ ...value }, version]);
    }

    /** Answers of a node's commits from now on. */
    function answersOf({ store }: Node): CommitReply[] {
      const answers: CommitReply[] = [];
      const commit = store.commit.bind(store);
      store.commit = async (request) => {
        const reply = await commit(request);
        answers.push(reply);
        return reply;
      };
      return answers;
    }

    it('has nodes that write one room queue up, so that hardly an attempt is in vain', async () => {
      const four = [await newNode(), await newNode(), await newNode(), await newNode()];
      const answers = four.map(answersOf);
      const inVain = (): number => answers.flat().filter(({ status }) => status === 'judged').length;
      // Without the queue it is two fifths and more each time. A process that stalls for longer than a call may take
      // loses its turn, so the best of some rounds counts.
      let best = 1;
      let rounds = 0;
      for (; rounds < 5 && best > 1 / 3; rounds++) {
        for (const each of answers) each.length = 0;
        await Promise.all(four.map((node) => inRounds(8, 50, () => update(node, add()))));
        best = Math.min(best, inVain() / answers.flat().length);
      }
      expect(best).toBeLessThan(1 / 3);
      expect((await four[0]!.tallies.read({ room })).value.value).toBe(1_600 * rounds);
    });

    it('goes ahead where no call arrives, and loses nothing', async () => {
      const three = [await newNode(1_200, true), await newNode(1_200, true), await newNode()];
      await Promise.all(three.map((node) => inRounds(2, 10, () => update(node, add()))));
      expect((await three[0]!.tallies.read({ room })).value.value).toBe(60);
    });

    it('leaves the queue when it has nothing to write any more, so that nobody waits for it', async () => {
      const [a, b] = (await Promise.all([newNode(), newNode()])) as [Node, Node];
      const waited = () => answers.some((reply) => reply.status === 'committed' && reply.ahead > 0);
      const answers = answersOf(b);
      for (let round = 0; round < 50 && !waited(); round++) {
        await Promise.all([a, b].map((node) => inRounds(2, 5, () => update(node, add()))));
      }
      expect(waited()).toBe(true);
      const alone = async () => {
        answers.length = 0;
        await update(b, add());
        return answers.length === 1 && answers[0]!.status === 'committed' && answers[0]!.ahead === 0;
      };
      for (let round = 0; round < 20 && !(await alone()); round++);
      expect(await alone()).toBe(true);
    });

    it('R16: writes patches whose fold is the document at the end of every command', async () => {
      const [a, b] = [await newNode(), await newNode()];
      await Promise.all([a!, b!].flatMap((node) => Array.from({ length: 40 }, () => update(node, change))));
      await expectFold(a!, 80);
      expect((await logOf(a!)).length).toBe(80);
    });

    it('R16: does so too where commands come while others commit, and others append in between', async () => {
      const [a, b] = [await newNode(), await newNode()];
      const append = (): Promise<unknown> =>
        b!.committer.perform(appendWork({ room }, { event: 'tally.noted', data: {} }));
      await Promise.all([inRounds(12, 20, () => update(a!, change)), inRounds(2, 40, append)]);
      expect((await a!.tallies.read({ room })).value.value).toBe(240);
      await expectFold(a!, 240);
      expect((await logOf(a!)).length).toBe(320);
    });

    it('tells this node of its own commits, in order and with their numbers', async () => {
      const node = await newNode();
      await Promise.all(Array.from({ length: 20 }, () => update(node, add())));
      expect(node.delivered.flatMap(({ entries }) => entries)).toEqual(await logOf(node));
    });

    it('R11: discards what a throwing function did, and only that', async () => {
      const node = await newNode();
      const fail: UpdateFunction<Tally, void> = (tally, draft) => {
        tally.value = 99;
        draft.append('tally.never');
        draft.count('never', 1);
        throw new GatewayError('rejected', 'no');
      };
      const results = await Promise.all(
        [add(), fail, add(), fail, add()].map((fn) => codeOf(update<unknown>(node, fn))),
      );
      expect(results).toEqual(['ok', 'rejected', 'ok', 'rejected', 'ok']);
      expect((await node.tallies.read({ room })).value.value).toBe(3);
      expect(JSON.stringify(await logOf(node))).not.toContain('never');
    });

    it('lets nothing be changed through what a function holds on to', async () => {
      const node = await newNode();
      const by = { k: 1 };
      const held: Tally[] = [];
      const hold: UpdateFunction<Tally, number> = (tally) => {
        held.push(tally);
        tally.by = by;
        return ++tally.value;
      };
      const meddle: UpdateFunction<Tally, void> = () => {
        for (const tally of held) tally.value = 99;
        by.k = 99;
      };
      await Promise.all([update(node, hold), update(node, meddle), update(node, add())]);
      by.k = 1;
      expect(await update(node, hold)).toBe(3);
      await update(node, meddle);
      expect(await update(node, add())).toBe(4);
      expect((await node.tallies.read({ room })).value).toEqual({ value: 4, by: { k: 1 } });
      await expectFold(node, 4);
    });

    it('R16: writes patches of what the JSON says where a value is not its JSON', async () => {
      const node = await newNode();
      const odd: unknown[] = [new Date(0), undefined, NaN, 1, { a: undefined }, [undefined], new Date(0), {}];
      for (const value of odd) {
        await update(node, (tally) => {
          tally.value++;
          tally.by.odd = value as number;
        });
      }
      await expectFold(node, odd.length);
    });

    it('R11: refuses a function that returns a promise', async () => {
      const node = await newNode();
      expect(await codeOf(update(node, () => Promise.resolve(1)))).toBe('internal');
    });

    it('never writes a document that breaks the rules of its class', async () => {
      const node = await newNode();
      expect(await codeOf(update(node, add(2_000_000)))).toBe('invalid');
      expect(await codeOf(update(node, (tally) => void (tally.value = 0.5)))).toBe('invalid');
      expect(await logOf(node)).toEqual([]);
    });

    it('judges an error on the document as it is, not as this node remembers it', async () => {
      const [a, b] = [await newNode(), await newNode()];
      const take: UpdateFunction<Tally, void> = (tally, draft) => {
        if (tally.value === 0) throw new GatewayError('not_found', 'nothing there');
        draft.append('tally.taken');
        tally.value--;
      };
      expect(await codeOf(update(a!, take))).toBe('not_found');
      await update(b!, add());
      expect(await codeOf(update(a!, take))).toBe('ok');
      expect(await codeOf(update(b!, take))).toBe('not_found');
    });

    it('makes a change without an event the event $changed, and leaves no trace of no change', async () => {
      const node = await newNode();
      await update(node, (tally) => void tally.value++);
      await update(node, (tally) => void (tally.value += 0));
      expect((await logOf(node)).map(({ events }) => events)).toEqual([
        [{ event: '"$changed"', data: '{}' }],
      ]);
    });

    it('judges bounds by the present document, whatever a node took for it', async () => {
      const [writer, reader] = [await newNode(), await newNode()];
      const take: UpdateFunction<Tally, unknown> = (tally, draft) => ({
        left: draft.count('stock', -Math.abs(10 - tally.value), { min: -5 }),
      });
      await update(writer, add(9));
      // It knows nothing yet, so that its first run takes 10.
      expect(await update(reader, take)).toEqual({ left: -1 });
      await update(writer, add(8));
      await update(reader, add(0));
      await update(writer, add(-8));
      // It knows an older document, so that its first run takes 7.
      expect(await update(reader, take, { n: 1 })).toEqual({ left: -2 });
      await update(writer, add(-9));
      expect(await codeOf(update(reader, take, { n: 2 }))).toBe('rejected');
    });

    it('gives counters their values in replies and events, and refuses to leave their bounds', async () => {
      const node = await newNode();
      const take: UpdateFunction<Tally, unknown> = (_tally, draft) => {
        const taken = draft.count('seats', 1, { max: 3 });
        draft.append('seat.taken', { taken });
        return { taken };
      };
      const results = await Promise.allSettled(Array.from({ length: 5 }, () => update(node, take)));
      expect(
        results.map((r) => (r.status === 'fulfilled' ? r.value : (r.reason as GatewayError).code)),
      ).toEqual([{ taken: 1 }, { taken: 2 }, { taken: 3 }, 'rejected', 'rejected']);
      expect((await logOf(node)).map(({ events }) => events[0]!.data)).toEqual(
        [1, 2, 3].map((taken) => `{"taken":${taken}}`),
      );
      expect(node.delivered.flatMap(({ entries }) => entries)).toEqual(await logOf(node));
    });

    it('R34: counts what clients name in any way, each name for itself', async () => {
      const node = await newNode();
      const names = [
        'a|b',
        'a b',
        '',
        '-',
        '\n',
        '\x010\x02',
        '\x00',
        '1 2 3 4 x',
        'ä€💥',
        '__proto__',
        '\ud800',
        '\udfff',
      ];
      const count = (name: string): Promise<unknown> =>
        update(node, (_tally, draft) => {
          const counted = draft.count(name, 1);
          draft.append('tally.named', { name, counted });
          return { counted };
        });
      const once = await Promise.all(names.map(count));
      expect(once).toEqual(names.map((name) => ({ counted: name === '\udfff' ? 2 : 1 })));
      expect(await Promise.all(names.slice(0, -2).map(count))).toEqual(
        names.slice(2).map(() => ({ counted: 2 })),
      );
      expect(node.delivered.flatMap(({ entries }) => entries)).toEqual(await logOf(node));
    });

    it('R10: lets a command commit once, and reads in the place of the command', async () => {
      const node = await newNode();
      const twice = command();
      await node.tallies.update(twice, add());
      expect(await codeOf(node.tallies.update(twice, add()))).toBe('internal');
      twice.pass();
      const [first, reader, second] = [command(), command(), command()];
      const read = node.tallies.read(reader);
      const after = node.tallies.update(second, add());
      const before = node.tallies.update(first, add());
      await before;
      expect((await read).value.value).toBe(2);
      reader.pass();
      expect(await after).toBe(3);
    });

    describe('numbered commands', () => {
      it('take effect once on any node; a repeat gets the recorded result and its function no effect', async () => {
        const [a, b] = [await newNode(), await newNode()];
        expect(await update(a!, add(5), { n: 1 })).toBe(5);
        let runs = 0;
        const counted: UpdateFunction<Tally, number> = (tally, draft) => {
          runs++;
          return add(5)(tally, draft);
        };
        expect(await update(a!, counted, { n: 1 })).toBe(5);
        expect(runs).toBe(0);
        expect(await update(b!, counted, { n: 1 })).toBe(5);
        expect((await a!.tallies.read({ room })).value.value).toBe(5);
      });

      it('R2: keep the copy of a batch in which one of them turns out to be a repeat from being written', async () => {
        const [a, b] = [await newNode(), await newNode()];
        await update(a!, add(1), { n: 1, session: 'x' });
        const results = await Promise.all([
          update(b!, add(100), { n: 1, session: 'y' }),
          update(b!, add(1), { n: 1, session: 'x' }),
          update(b!, add(10), { n: 1, session: 'z' }),
        ]);
        expect(results).toEqual([101, 1, 111]);
        expect((await a!.tallies.read({ room })).value.value).toBe(111);
      });

      it('stand twice in one batch and take effect once', async () => {
        const node = await newNode();
        const results = await Promise.all(Array.from({ length: 5 }, () => update(node, add(), { n: 1 })));
        expect(results).toEqual([1, 1, 1, 1, 1]);
        expect(await update(node, add(), { n: 2 })).toBe(2);
      });

      it('R4: have their errors recorded, and R8: refuse other content', async () => {
        const [a, b] = [await newNode(), await newNode()];
        const fail = (): never => {
          throw new GatewayError('not_found', 'gone', { details: [{ path: 'x' }] });
        };
        expect(await codeOf(update(a!, fail, { n: 1 }))).toBe('not_found');
        const again = await update(b!, add(), { n: 1 }).catch((error: unknown) => error);
        expect((again as GatewayError).toBody()).toEqual({
          code: 'not_found',
          message: 'gone',
          details: [{ path: 'x' }],
          retry: false,
        });
        expect(await codeOf(update(a!, add(), { n: 1, data: { other: 1 } }))).toBe('number_reused');
        expect(await update(b!, add(), { n: 2 })).toBe(1);
      });

      it('R4: leave their number free when the error may be retried', async () => {
        const node = await newNode();
        const busy = (): never => {
          throw new GatewayError('rate_limited', 'later');
        };
        const results = await Promise.all([
          codeOf(update(node, busy, { n: 1 })),
          codeOf(update(node, add(), { n: 2 })),
        ]);
        expect(results).toEqual(['rate_limited', 'out_of_order']);
        expect(await update(node, add(), { n: 1 })).toBe(1);
      });

      it('R4: do not miss a number any more when its session has gone on elsewhere', async () => {
        const [a, b] = [await newNode(), await newNode()];
        const busy = (): never => {
          throw new GatewayError('rate_limited', 'later');
        };
        const refused = command({ n: 1 });
        expect(await codeOf(a!.tallies.update(refused, busy))).toBe('rate_limited');
        a!.committer.noteMissing(refused);
        expect(await codeOf(update(a!, add(), { n: 2 }))).toBe('out_of_order');
        expect(await update(b!, add(), { n: 1, generation: 2 })).toBe(1);
        expect(await update(a!, add(), { n: 2, generation: 3 })).toBe(2);
      });

      it('tell the expected number after a hole', async () => {
        const node = await newNode();
        await update(node, add(), { n: 1 });
        const error = await update(node, add(), { n: 4 }).catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ code: 'out_of_order', details: [{ expected: 2 }] });
      });

      it('R9: refuse a reply over 4 kB, as their recorded answer', async () => {
        const node = await newNode();
        const big: UpdateFunction<Tally, string> = (tally) => {
          tally.value++;
          return 'x'.repeat(5_000);
        };
        expect(await codeOf(update(node, big, { n: 1 }))).toBe('too_large');
        expect(await codeOf(update(node, add(), { n: 1 }))).toBe('too_large');
        expect((await node.tallies.read({ room })).value.value).toBe(0);
      });

      it('R1: record the answer of a handler that made no commit, and return it to a repeat', async () => {
        const [a, b] = [await newNode(), await newNode()];
        const record = (node: Node, json: string): Promise<WorkResult> => {
          const it = command({ n: 1 });
          return node.committer.perform(recordWork(it, { kind: 'result', json })).finally(() => it.pass());
        };
        expect((await record(a!, '{"first":1}')).duplicate).toBe(false);
        const again = await record(b!, '{"second":2}');
        expect([again.duplicate, again.outcome]).toEqual([true, { kind: 'result', json: '{"first":1}' }]);
      });
    });

    describe('faults', () => {
      it('apply a commit once although its answers are lost, and answer from the record', async () => {
        const node = await newNode(5_000);
        await update(node, add());
        await engine.loseReplies(2);
        const results = await Promise.all([
          update(node, add()),
          update(node, add(), { n: 1 }),
          update(node, add()),
          update(node, add(), { n: 2 }),
        ]);
        expect(results).toEqual([2, 3, 4, 5]);
        expect((await node.tallies.read({ room })).value.value).toBe(5);
        expect(await update(node, add())).toBe(6);
      });

      it('apply commands once that come while answers are lost', async () => {
        const node = await newNode(5_000);
        const losing = inRounds(1, 10, () => engine.loseReplies(1));
        const results = await inRounds(12, 20, (writer, round) =>
          update(node, add(), writer < 6 ? { session: `w${writer}`, n: round + 1, ack: round } : {}),
        );
        await losing;
        const values = results.flat().sort((a, b) => a - b);
        expect(values).toEqual(Array.from({ length: 240 }, (_, i) => i + 1));
        expect((await node.tallies.read({ room })).value.value).toBe(240);
        await expectFold(node, 240);
      });

      it('R12: end as unknown_outcome when no answer comes, and the next commits are right', async () => {
        const node = await newNode(10);
        await update(node, add());
        await engine.loseReplies(3);
        expect(await codeOf(update(node, add()))).toBe('unknown_outcome');
        await untilOk(() => codeOf(update(node, add())));
        const { value } = await node.tallies.read({ room });
        expect([2, 3]).toContain(value.value);
        expect((await logOf(node)).length).toBe(value.value);
      });

      it('R35: a publication is refused: the command counts, and its answer is not that of the next one', async () => {
        const [ann, bob] = [await newNode(), await newNode()];
        await update(ann, add(1));
        await engine.refusePublications(true);
        expect(await update(ann, add(100))).toBe(101);
        expect(ann.delivered.flatMap(({ entries }) => entries)).toHaveLength(2);
        await engine.refusePublications(false);
        expect(await update(ann, add(7))).toBe(108);
        expect(await update(bob, add(1))).toBe(109);
        await expectFold(bob, 4);
      });

      it('R35: publications are refused while two nodes write one room: every command counts once', async () => {
        const two = [await newNode(), await newNode()];
        await Promise.all(two.map((node) => inRounds(4, 10, () => update(node, add()))));
        await engine.refusePublications(true);
        await Promise.all(two.map((node) => inRounds(4, 10, () => update(node, add()))));
        await engine.refusePublications(false);
        const values = await Promise.all(two.map((node) => inRounds(4, 10, () => update(node, add()))));
        expect(Math.max(...values.flat(2))).toBe(240);
        await expectFold(two[0]!, 240);
      });

      it('R35: a script fails after its writes: its commands are answered by their records', async () => {
        const node = await newNode(60_000);
        await update(node, add());
        await engine.failCalls(1);
        const results = await Promise.all([
          update(node, add(100)),
          update(node, add(10), { n: 1 }),
          update(node, add(1)),
        ]);
        expect(results).toEqual([101, 111, 112]);
        expect(await update(node, add(7))).toBe(119);
        expect((await node.tallies.read({ room })).value.value).toBe(119);
        await expectFold(node, 5);
      });

      it("R35: never answers a work with the record of another under the same number of a node's lane", async () => {
        const [before, after] = [await newNode(1_200, false, 'same'), await newNode(1_200, false, 'same')];
        expect(await update(before, add(100))).toBe(100);
        expect(await update(after, add(7))).toBe(107);
        expect(await update(before, add(1))).toBe(108);
        expect(await Promise.all([update(after, add(1)), update(after, add(1))])).toEqual([109, 110]);
        await expectFold(after, 5);
      });

      it('count where a listener fails again and again, which is told once', async () => {
        const node = await newNode();
        node.committer.onCommitted(() => {
          throw new TypeError('a bug of a listener');
        });
        const lines: string[] = [];
        Logger.overrideLogger({
          log: () => undefined,
          warn: () => undefined,
          error: (line) => lines.push(String(line)),
        });
        try {
          for (let i = 1; i <= 20; i++) expect(await update(node, add())).toBe(i);
        } finally {
          Logger.overrideLogger(['error', 'fatal']);
        }
        expect(lines.filter((line) => line.includes('TypeError: a bug of a listener'))).toHaveLength(1);
      });

      it('fail as unavailable while the engine is out of reach, and go on by themselves', async () => {
        const node = await newNode(100);
        await update(node, add());
        await engine.setReachable(false);
        const failed = await Promise.all([
          codeOf(update(node, add())),
          codeOf(update(node, add(), { n: 1 })),
        ]);
        for (const code of failed) expect(['unavailable', 'unknown_outcome']).toContain(code);
        await engine.setReachable(true);
        await untilOk(() => codeOf(update(node, add(), { n: 1 })));
        expect((await node.tallies.read({ room })).value.value).toBe(2);
      });

      it('answer conflict when others win until the deadline', async () => {
        const [a, b] = [await newNode(), await newNode()];
        const commit = a!.store.commit.bind(a!.store);
        a!.store.commit = async (request) => {
          await update(b!, add());
          return commit(request);
        };
        expect(await codeOf(update(a!, add(1_000), { withinMs: 1_000 }))).toBe('conflict');
        const { value } = await a!.tallies.read({ room });
        expect(value.value).toBe((await logOf(a!)).length);
        expect(value.value).toBeGreaterThan(1);
      });
    });
  });
}

async function untilOk(attempt: () => Promise<string>): Promise<void> {
  await eventually(async () => expect(await attempt()).toBe('ok'));
}
