import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { LEAST_IDLE_MS } from '@wss/core';
import type { DataLinks } from '@wss/redis';
import { encodeBody, encodeMessage } from '@wss/state';
import { eventually, newSeed, Random } from '@wss/testing';
import { LostHistories } from '../../src/rooms/lost-histories.js';
import { captureLogs, releaseLogs } from '../captured-logs.js';
import { FeedNode, type FeedNodeSettings, SlowChannels } from './feed-node.js';
import type { FeedEngine, FeedLinks } from './feed-engine.js';
import { RandomJoins } from './random-joins.js';

/** `npm run chaos` asks for more. */
const INTERLEAVINGS = process.env.CHAOS === 'long' ? 10_000 : 200;

/** How long the nodes follow a room after its last client. */
const LINGER_MS = 300;

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Takes what lies before the entry after this event out of a log in Redis. */
export async function trimLog(
  commands: Pick<DataLinks['commands'], 'xrange' | 'xdel'>,
  log: string,
  upTo: number,
): Promise<void> {
  const ids = (await commands.xrange(log, '-', '+')).map(([id]) => id);
  const gone = ids.filter((id) => Number(id.split('-')[1]) <= upTo);
  if (gone.length > 0) await commands.xdel(log, ...gone);
}

/** Checks what a node that follows a room promises to its members, on any engine. */
export function roomFeedContract(name: string, create: () => Promise<FeedEngine>): void {
  describe(`rooms that are followed on ${name}`, () => {
    let engine: FeedEngine;
    let room: string;
    let writer: FeedNode;
    let reader: FeedNode;
    const nodes: FeedNode[] = [];

    beforeAll(async () => {
      engine = await create();
    });
    afterAll(() => engine?.stop());
    beforeEach(async () => {
      room = `feed:${randomUUID()}`;
      [writer, reader] = [await newNode(), await newNode()];
      for (const node of [writer, reader]) await node.join();
    });
    afterEach(() => {
      for (const node of nodes.splice(0)) node.close();
    });

    async function newNode(): Promise<FeedNode> {
      return nodeOn(await engine.openNode(), room);
    }
    function nodeOn({ store, channels }: FeedLinks, of: string, settings: FeedNodeSettings = {}): FeedNode {
      const pauses = { lingerMs: LINGER_MS, quietMs: 2_000 };
      const node = new FeedNode(of, engine.keys, store, new SlowChannels(channels), { pauses, ...settings });
      nodes.push(node);
      return node;
    }
    const has = (node: FeedNode, seqs: number[]): Promise<void> =>
      eventually(() => expect(node.seqs).toEqual(seqs));
    const forge = (epoch: string, seq: number): Promise<void> => {
      const body = encodeBody({ events: [{ event: '"forged"', data: '"forged"' }] });
      return writer.channels.publish(
        engine.keys.room(room).channel,
        encodeMessage({ epoch, seq }, seq, [body]),
      );
    };

    it('deliver every event once and in order, whoever wrote it', async () => {
      await Promise.all(range(1, 50).flatMap(() => [writer.add(), reader.add()]));
      for (const node of [writer, reader]) await has(node, range(1, 100));
    });

    it('go on for a client that began while the last member left, however long that was ago', async () => {
      await writer.add();
      await has(reader, [1]);
      const begins = reader.join();
      reader.release();
      await begins;
      let last = 1;
      // Longer than a room is kept without members.
      for (const end = performance.now() + 2 * LINGER_MS; performance.now() < end;) {
        last = (await writer.add()).seq;
        await has(reader, range(1, last));
      }
      expect(last).toBeGreaterThan(2);
    });

    it('R17: a room that a member meets alive goes on, however soon it was to end', async () => {
      const seed = newSeed();
      writeSync(1, `lives: SEED=${seed}\n`);
      const random = new Random(seed);
      const links = [await engine.openNode(), await engine.openNode()];
      const { store } = links[0]!;
      const live = async (idleTtlMs: number, isUsed: boolean, leftMs: number): Promise<boolean> => {
        const own = `feed:${randomUUID()}`;
        const [other, node] = links.map((link) => nodeOn(link, own, { idleTtlMs })) as [FeedNode, FeedNode];
        await store.resume({ room: own, idleTtlMs });
        if (isUsed) await other.add();
        const [met] = await store.tops([own]);
        await store.keep(own, leftMs);
        const endsBy = (await store.time(own)) + leftMs;
        const { position } = await node.join();
        await eventually(async () => expect(await store.time(own)).toBeGreaterThan(endsBy + 10));
        // If it had ended before, the member is in the life that began then.
        expect(await store.tops([own])).toEqual([position]);
        expect(await other.add()).toEqual({ epoch: position.epoch, seq: position.seq + 1 });
        await has(node, [position.seq + 1]);
        expect(node.resets).toEqual([]);
        return typeof met === 'object' && met.epoch === position.epoch;
      };
      const kinds = [0, LEAST_IDLE_MS, 600_000];
      const lives = Array.from({ length: 32 }, () =>
        live(random.pick(kinds), random.below(2) === 0, 1 + random.below(600)),
      );
      expect(await Promise.all(lives)).toContain(true);
    });

    describe('R14', () => {
      it('R14: drop what an epoch sent that is known to be over', async () => {
        const { epoch: old } = await writer.add();
        await has(reader, [1]);
        await engine.failOver();
        const { epoch } = await writer.add();
        expect(epoch).not.toBe(old);
        await has(reader, [1, 2]);
        const { reads } = reader;
        await forge(old, 3);
        await writer.add();
        await has(reader, [1, 2, 3]);
        expect(JSON.stringify(reader.events)).not.toContain('forged');
        expect(reader.reads).toBe(reads);
      });

      it.each([
        ['lower', () => '1.forged'],
        ['higher', () => `${Date.now() + 3_600_000}.forged`],
      ])(
        'R14: deliver nothing of an unknown epoch with a %s number; the room is read',
        async (_what, epoch) => {
          await writer.add();
          await has(reader, [1]);
          const { reads } = reader;
          await forge(epoch(), 2);
          await eventually(() => expect(reader.reads).toBeGreaterThan(reads));
          await writer.add();
          await has(reader, [1, 2]);
          expect(JSON.stringify(reader.events)).not.toContain('forged');
          expect(reader.resets).toEqual([]);
        },
      );

      it('R14: reset only who saw more than what survived', async () => {
        const late = await newNode();
        await late.join();
        await writer.add();
        for (const node of nodes) await has(node, [1]);
        await engine.checkpoint();
        late.channels.hold();
        for (const _ of range(2, 4)) await writer.add();
        await has(reader, range(1, 4));
        await engine.failOver();
        const { epoch } = await writer.add();
        await eventually(() => expect(reader.resets).toHaveLength(1));
        expect(reader.resets[0]).toMatchObject({ reason: 'rolled_back', lost: { from: 2, to: 4 } });
        await eventually(() => expect(late.channels.waiting).toBe(4));
        late.channels.release(3);
        await has(late, [1, 2]);
        expect(late.resets).toEqual([]);
        expect(late.told).toContainEqual({ epoch, epochAfter: 1 });
        await writer.add();
        await has(late, [1, 2, 3]);
        await has(reader, [...range(1, 4), 3]);
      });
    });

    it('tell an operator once of all rooms that one loss hits, with their number and its cause', async () => {
      const { store, channels } = await engine.openNode();
      const losses = new LostHistories({ gatherMs: 1_000, periodMs: 60_000 });
      const rooms = range(1, 40).map(() => {
        const name = `feed:${randomUUID()}`;
        return new FeedNode(name, engine.keys, store, new SlowChannels(channels), { losses });
      });
      nodes.push(...rooms);
      for (const node of rooms) {
        await node.join();
        await node.add();
      }
      const lines = captureLogs();
      try {
        await engine.wipe();
        // Each finds out at once by its own commit.
        await Promise.all(rooms.map((node) => node.add()));
        await eventually(() => expect(rooms.map(({ resets }) => resets.length)).toEqual(rooms.map(() => 1)));
        const told = (): string[] => lines.filter((line) => line.includes(' have lost their history'));
        const all = expect.stringMatching(/ 40 have lost their history \(Redis was emptied/);
        await eventually(() => expect(told()).toContainEqual(all));
        expect(told().filter((line) => !/: \d have/.test(line))).toEqual([all]);
      } finally {
        releaseLogs();
      }
    });

    it('show nothing of a history that is over to who joins before the node has heard of it', async () => {
      const { epoch } = await writer.add();
      for (const node of nodes) await has(node, [1]);
      await engine.checkpoint();
      for (const _ of range(2, 4)) await writer.add();
      await has(reader, range(1, 4));
      for (const { channels } of nodes) channels.hold();
      await engine.failOver();
      const start = await reader.join({ epoch, seq: 1 });
      expect(start).toMatchObject({ recovered: true, entries: [], position: { seq: 1 } });
      expect(start.position.epoch).not.toBe(epoch);
      expect(reader.resets).toMatchObject([{ reason: 'rolled_back', lost: { from: 2, to: 4 } }]);
    });

    it('show every command that was answered before, though nothing was heard of it', async () => {
      reader.channels.hold();
      const position = await writer.add();
      const start = await reader.join({ epoch: position.epoch, seq: 0 });
      expect(start.position).toEqual(position);
      expect(start.entries).toHaveLength(1);
      await has(reader, [1]);
      reader.channels.release();
      await writer.add();
      await has(reader, [1, 2]);
    });

    it('R15: tell up to where the log survives, when the replicas have it', async () => {
      const position = await writer.add();
      for (const node of [writer, reader]) {
        await eventually(() => expect(node.durable.at(-1)).toEqual(position));
      }
      await engine.failOver();
      const next = await writer.add();
      await eventually(() => expect(reader.durable.at(-1)).toEqual(next));
      expect(next).toMatchObject({ seq: 2 });
    });

    it('R18: leave a hole below an own commit to the subscription first, and read it when nothing comes', async () => {
      reader.channels.hold();
      await writer.add();
      await eventually(() => expect(reader.channels.waiting).toBe(1));
      const { reads } = reader;
      await reader.add();
      expect(reader.seqs).toEqual([]);
      reader.channels.release();
      expect(reader.seqs).toEqual([1, 2]);
      expect(reader.reads).toBe(reads);

      reader.channels.hold();
      await writer.add();
      await reader.add();
      await has(reader, [1, 2, 3, 4]);
      expect(reader.reads).toBe(reads + 1);
      reader.channels.release();
      await reader.add();
      await has(reader, range(1, 5));
    });

    it('R18: read of a big log what a client begins with, and what it can take, and no more', async () => {
      const text = 'x'.repeat(8_000);
      let position = await writer.add();
      for (const _ of range(2, 200)) position = await writer.add(text);
      const fresh = await newNode();
      const joins = [{ newest: 10 }, { from: { ...position, seq: 180 } }, { from: { ...position, seq: 0 } }];
      for (const request of joins) {
        const before = fresh.charactersRead;
        const start = await fresh.begin(request);
        const least = Math.min(10, 200 - (request.from?.seq ?? 190)) * 8_000;
        expect(start).toMatchObject({ recovered: true, position });
        expect(start.missed).toBe(200 - (request.from?.seq ?? 190));
        expect(fresh.charactersRead - before).toBeLessThan(Math.max(least, 100_000));
      }
    });

    it('R18: start every client exactly where it is, wherever and whenever it joins', async () => {
      const seed = newSeed();
      const counts: Record<string, number> = {};
      const joined = { engine, reader: await engine.openNode(), writer: await engine.openNode() };
      for (let i = 0; i < INTERLEAVINGS; i++) {
        await engine.wipe();
        try {
          const random = new Random(seed + i);
          for (const [what, count] of Object.entries(await RandomJoins.run(joined, random))) {
            counts[what] = (counts[what] ?? 0) + count;
          }
        } catch (error) {
          throw new Error(`CHAOS_SEED=${seed + i}: ${(error as Error).message}`, { cause: error });
        }
      }
      const line = JSON.stringify({ seed, interleavings: INTERLEAVINGS, ...counts });
      writeSync(process.stderr.fd, `random joins on ${name}: ${line}\n`);
    }, 1_800_000);
  });
}
