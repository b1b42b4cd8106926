import { afterEach, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { Rooms } from '@wss/cluster';
import { FeatureCluster, newSeed, Random, type TestClient } from '@wss/testing';
import { ClubModule } from './fixtures/club.js';

const room = 'club:1';

interface Page {
  readonly epoch: string;
  readonly first: number;
  readonly next?: number;
  readonly reason?: string;
  readonly lost?: object;
  readonly events: readonly {
    readonly event: string;
    readonly seq: number;
    readonly data: { text?: string };
  }[];
}

describe.each(['memory', 'redis'] as const)('$history on %s', (engine) => {
  let cluster: FeatureCluster;
  afterEach(() => cluster?.stop());

  const start = async (): Promise<void> => {
    const logger = ['error', 'fatal'] as const;
    cluster = await FeatureCluster.start({ features: [ClubModule], nodes: 2, engine, logger: [...logger] });
  };
  const member = async (user: string, node: number): Promise<TestClient> => {
    const client = await cluster.connect(user, { node, session: true });
    await client.join(room);
    return client;
  };
  const say = (client: TestClient, text: string) => client.request('club.say', { text }, { room });
  const page = (client: TestClient, data: object = {}) => client.command<Page>('$history', data, { room });

  it('R23: shows members what other members saw, in pages of any size, from every node', async () => {
    const seed = newSeed();
    const random = new Random(seed);
    await start();
    const [ann, bob] = [await member('ann', 0), await member('bob', 1)];
    const texts = Array.from({ length: 40 }, (_, i) => `${i}:${'ä💥"\\'.repeat(random.below(8))}`);
    for (const text of texts) await say(random.pick([ann, bob]), text);
    for (const client of [ann, bob]) {
      const found: Page['events'][number][] = [];
      let next: { before: number; epoch: string } | undefined;
      do {
        const limit = random.pick([1, 3, 17, 500]);
        const part = await page(client, { ...next, limit });
        expect(part.events.length).toBeLessThanOrEqual(limit);
        found.unshift(...part.events);
        next = part.next === undefined ? undefined : { before: part.next, epoch: part.epoch };
        expect(part).toMatchObject({ first: 1 });
        expect(part.reason).toBeUndefined();
      } while (next);
      expect({ seed, found: found.map(({ event, seq, data }) => [event, seq, data.text]) }).toEqual({
        seed,
        found: texts.map((text, i) => ['club.said', i + 1, text]),
      });
    }
  });

  it('answers as the docs say', async () => {
    await start();
    const ann = await member('ann', 0);
    for (let i = 1; i <= 100; i++) await say(ann, `${i}`);
    const text = readFileSync(new URL('../docs/features.md', import.meta.url), 'utf8');
    const section = text.slice(
      text.indexOf('## What happened before'),
      text.indexOf('## Work that one node does'),
    );
    const frames = [...section.matchAll(/^\{"event":"\$history".*$/gm)].map(
      ([json]) => JSON.parse(json) as { data: object },
    );
    expect(frames).toHaveLength(2);
    const newest = await page(ann, frames[0]!.data);
    expect(newest.events.map(({ seq }) => seq)).toEqual(Array.from({ length: 50 }, (_, i) => 51 + i));
    expect(newest.next).toBe(51);
    const older = await page(ann, { ...frames[1]!.data, epoch: newest.epoch });
    expect(older.events.map(({ seq }) => seq)).toEqual(Array.from({ length: 50 }, (_, i) => 1 + i));
    expect('next' in older || 'reason' in older).toBe(false);
  });

  it('bounds a page by bytes, too', async () => {
    await start();
    const ann = await member('ann', 0);
    const text = 'x'.repeat(1_900);
    for (let i = 0; i < 80; i++) await say(ann, text);
    const { events, next } = await page(ann, { limit: 500 });
    expect(Buffer.byteLength(JSON.stringify(events))).toBeLessThan(80_000);
    expect(events.at(-1)).toMatchObject({ seq: 80 });
    expect(next).toBe(events[0]!.seq);
  });

  it('R14: declares what a failover took from the reader, and shows what others wrote in its place', async () => {
    await start();
    const ann = await member('ann', 0);
    await say(ann, 'kept');
    let old: Page | undefined;
    await cluster.loseTail(async () => {
      await say(ann, 'lost');
      await say(ann, 'lost, too');
      old = await page(ann);
    });
    const { epoch } = old!;
    expect(old!.events.map(({ data }) => data.text)).toEqual(['kept', 'lost', 'lost, too']);
    const lost = await page(ann, { before: 4, epoch });
    expect(lost).toMatchObject({ events: [], reason: 'rolled_back', lost: { from: 2, to: 3 } });
    expect((await page(ann, { before: 2, epoch })).events).toMatchObject([
      { seq: 1, data: { text: 'kept' } },
    ]);
    await say(ann, 'after');
    const { events, epoch: now } = await page(ann);
    expect(events.map(({ data }) => data.text)).toEqual(['kept', 'after']);
    expect(now).not.toBe(epoch);
    const strange = await page(ann, { before: 2, epoch: '7.elsewhere' });
    expect(strange).toMatchObject({ events: [], reason: 'unknown_epoch' });
  });

  it('R38: is for members only, also on nodes that have not heard of a removal', async () => {
    await start();
    const [ann, bob] = [await member('ann', 0), await member('bob', 1)];
    await say(ann, 'hello');
    const guest = await cluster.connect('guest', { node: 0 });
    const refused = { error: { code: 'forbidden' } };
    expect(await guest.request('$history', {}, { room })).toMatchObject(refused);
    const removed = cluster.nodes[0]!.app.get(Rooms, { strict: false })
      .to(room)
      .remove('bob', { reason: 'spam' });
    await removed;
    const answers = await Promise.all([1, 2, 3].map(() => bob.request('$history', {}, { room })));
    for (const answer of answers) expect(answer).toMatchObject(refused);
    expect((await page(ann)).events.map(({ event, seq }) => [event, seq])).toEqual([
      ['club.said', 1],
      ['$changed', 2],
    ]);
    // A user who is let in again is a member again, beside others on the node.
    await member('eve', 1);
    await bob.join(room);
    expect((await page(bob)).events).toHaveLength(2);
    // Coming back without a join is not enough.
    await ann.reconnect();
    expect(await ann.request('$history', {}, { room })).toMatchObject(refused);
  });

  it('R29: refuses bad pages by a code, and answers others in their turn', async () => {
    await start();
    const ann = await member('ann', 0);
    await say(ann, 'hello');
    for (const data of [{ limit: 501 }, { limit: 0 }, { before: 0 }, { before: 1.5 }, { epoch: '1.a' }]) {
      expect(await ann.request('$history', data, { room })).toMatchObject({ error: { code: 'invalid' } });
    }
    expect(await ann.request('$history', { before: 1, epoch: 'x' }, { room })).toMatchObject({
      error: { code: 'bad_frame' },
    });
    expect(await ann.request('$history', {})).toMatchObject({ error: { code: 'bad_frame' } });
    const pages = await Promise.all(Array.from({ length: 100 }, () => page(ann)));
    for (const { events } of pages) expect(events).toHaveLength(1);
  });
});
