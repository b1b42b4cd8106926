import { afterEach, describe, expect, it } from '@jest/globals';
import { Rooms } from '@wss/cluster';
import { WssClient } from '@wss/client';
import { RoomStore } from '@wss/state';
import {
  eventually,
  type FeatureCluster,
  newSeed,
  Random,
  type ServerFrame,
  type TestClient,
} from '@wss/testing';
import { readFileSync } from 'node:fs';
import { WebSocket } from 'ws';
import { ENGINES, startOn } from './fixtures/any-engine.js';
import { WallHandlers, WallModule } from './fixtures/wall.js';

const room = 'wall:1';
const seed = newSeed();
const random = new Random(seed);

interface Place {
  readonly epoch: string;
  readonly seq: number;
}

describe.each(ENGINES)('R36, R38: the deletion of a room on %s', (engine) => {
  let cluster: FeatureCluster;
  afterEach(() => cluster?.stop());

  const start = async (nodes = 2): Promise<void> => {
    cluster = await startOn(engine, { features: [WallModule], nodes, logger: ['error', 'fatal'] });
  };
  const rooms = (node = random.below(cluster.nodes.length)) =>
    cluster.nodes[node]!.app.get(Rooms, { strict: false });
  const storeOf = (node = 0) => cluster.nodes[node]!.app.get(RoomStore, { strict: false });
  const put = (client: TestClient, text: string, envelope: object = {}) =>
    client.request<{ notes: number; puts: number }>('wall.put', { text }, { room, ...envelope });
  const member = async (user: string, node: number, session = false): Promise<TestClient> => {
    const client = await cluster.connect(user, { node, session });
    await client.join(room);
    return client;
  };
  const ofRoom = (frames: readonly ServerFrame[]) => frames.filter((frame) => frame.room === room);
  const told = { room, data: { reason: 'deleted', lost: null, applied: null, documents: {} } };

  it('takes all that it has, and puts its members out on every node', async () => {
    await start();
    const [ann, bob, eve] = [await member('ann', 0), await member('bob', 1, true), await member('eve', 1)];
    for (const text of ['a', 'b']) await put(ann, text);
    const { seq } = await rooms().delete(room, { reason: 'over', by: 'admin' });
    expect(seq).toBe(3);
    for (const client of [ann, bob, eve]) {
      const { data } = await client.event<Place>('$reset');
      expect({ room, data }).toMatchObject(told);
      expect(data!.seq).toBe(3);
      expect(await client.event('$removed')).toMatchObject({ room, seq: 3, data: { reason: 'over' } });
      expect(await put(client, 'me')).toMatchObject({ error: { code: 'forbidden' } });
    }
    const { documents, entries, position } = await storeOf().resume({
      room,
      after: 0,
      documents: true,
      idleTtlMs: 0,
    });
    expect({ documents: documents.size, entries: entries.length, seq: position.seq }).toEqual({
      documents: 0,
      entries: 0,
      seq: 3,
    });
    await eventually(() => expect(ann.presence.at(-1)).toMatchObject({ data: { left: expect.anything() } }));
    // The next life.
    const before = (ann.frames.find(({ data }) => (data as Place | undefined)?.epoch) as ServerFrame<Place>)
      .data!;
    const joined = await bob.join<Place & { documents: object }>(room, { state: true });
    expect(joined).toMatchObject({ seq: 3, documents: { wall: { version: 0, value: { notes: [] } } } });
    expect(joined.epoch).not.toBe(before.epoch);
    expect(await put(bob, 'first', { n: 1 })).toMatchObject({ data: { notes: 1, puts: 1 } });
    const seen = ofRoom(await bob.drain()).filter(({ seq: at = 0 }) => at > seq);
    expect(seen.map(({ event, seq: at }) => [event, at])).toEqual([['wall.note', 4]]);
    expect(await bob.request('$history', {}, { room })).toMatchObject({ data: { first: 4 } });
    for (const client of [ann, eve]) {
      expect(ofRoom(await client.drain()).filter(({ seq: at = 0 }) => at > seq)).toEqual([]);
    }
  });

  it('is not undone by sessions that come back, whose numbers go on', async () => {
    await start();
    const [bob, dan] = [
      await cluster.connect('bob', { node: 1, session: true }),
      await member('dan', 0, true),
    ];
    const at = await bob.join<Place>(room);
    expect(await put(bob, 'one', { n: 1 })).toMatchObject({ data: { notes: 1 } });
    expect(await put(dan, 'two', { n: 1 })).toMatchObject({ data: { notes: 2 } });
    for (const client of [bob, dan]) await client.terminate();
    await rooms().delete(room);
    for (const client of [bob, dan]) await cluster.reconnect(client, random.below(2));
    // Commands before the join, and the join with a position.
    for (let repeat = 0; repeat < 2; repeat++) {
      const two = await bob.request<object>('wall.put', { text: 'two' }, { room, n: 2, epoch: at.epoch });
      expect(two).toMatchObject({ error: { code: repeat ? 'forbidden' : 'not_found' } });
    }
    expect(await bob.event('$reset')).toMatchObject(told);
    const back = await dan.request('$join', { epoch: at.epoch, seq: 1, state: true }, { room });
    expect(back).toMatchObject({ error: { code: 'not_found' } });
    expect(await dan.event('$reset')).toMatchObject(told);
    // Without a session its position tells.
    const other = await cluster.connect('bob', { node: 0 });
    const { epoch, seq } = at;
    expect(await other.request('$join', { epoch, seq }, { room })).toMatchObject({
      error: { code: 'not_found' },
    });
    for (const client of [bob, dan]) await client.join(room);
    // A command that was recorded before is answered as it was; the number of the refused one is used up.
    expect(await put(bob, 'one', { n: 1 })).toMatchObject({ data: { notes: 1 }, dup: true });
    const again = await put(bob, 'two', { n: 2 });
    expect(again).toMatchObject({ error: { code: 'not_found' }, dup: true });
    expect(await put(bob, 'three', { n: 3 })).toMatchObject({ data: { notes: 1, puts: 1 } });
    expect(await put(dan, 'four', { n: 2 })).toMatchObject({ data: { notes: 2 } });
  });

  it('answers what is under way by its place, and each number once', async () => {
    await start();
    const bob = await member('bob', 0, true);
    await put(bob, 'b1', { n: 1 });
    const deleted = rooms(1).delete(room);
    const sent = [2, 3, 4, 5, 6].map((n) => put(bob, `b${n}`, { n }));
    const [{ seq }, ...replies] = await Promise.all([deleted, ...sent]);
    let recorded = 1;
    for (const { data, error, seq: at } of replies) {
      if (data) expect(at).toBeLessThan(seq);
      else expect(['not_found', 'forbidden']).toContain(error!.code);
      if (at !== undefined) recorded++;
    }
    await bob.join(room);
    expect(await put(bob, 'next', { n: recorded + 1 })).toMatchObject({ data: { notes: 1 } });
    expect(await put(bob, 'far', { n: recorded + 3 })).toMatchObject({
      error: { code: 'out_of_order', details: [{ expected: recorded + 2 }] },
    });
  });

  it('holds against work of nodes that does not say it creates the room', async () => {
    await start();
    const ann = await member('ann', 0);
    await put(ann, 'a');
    await rooms().delete(room);
    const append = (options: object = {}) =>
      rooms().to(room).append('by node', 'wall.said', { text: 'job' }, options);
    const { walls } = cluster.nodes[random.below(2)]!.app.get(WallHandlers, { strict: false });
    const update = (options: object = {}) =>
      walls.update({ room }, (wall) => wall.notes.push('job'), options);
    await expect(append()).rejects.toMatchObject({ code: 'not_found' });
    await expect(update()).rejects.toMatchObject({ code: 'not_found' });
    // A member that only looks on changes nothing.
    const bob = await member('bob', 1);
    await expect(append()).rejects.toMatchObject({ code: 'not_found' });
    expect(await walls.read({ room })).toMatchObject({ value: { notes: [] }, version: 0 });
    const both = await Promise.allSettled([append(), update({ create: true }), update()]);
    expect(both[1]).toMatchObject({ status: 'fulfilled', value: 1 });
    await append();
    await update();
    expect(await walls.read({ room })).toMatchObject({ value: { notes: expect.arrayContaining(['job']) } });
    // A client's command does it, too.
    await rooms().delete(room);
    await bob.event('$reset');
    await bob.join(room);
    await put(bob, 'b');
    await append();
  });

  it('is written as docs/features.md says', async () => {
    await start(1);
    const text = readFileSync(new URL('../docs/features.md', import.meta.url), 'utf8');
    const section = text.slice(text.indexOf('## Delete a room'), text.indexOf('## Work that one node does'));
    const code = [...section.matchAll(/```ts\n(.*?)```/gs)].map(([, block]) => block!).join('');
    const run = new Function('rooms', 'admin', `return (async () => {${code}})()`) as (
      ...given: [Rooms, string]
    ) => Promise<void>;
    // The room that the section names is of another kind.
    const named = new Proxy(rooms(), {
      get: (target, name) => (of: string, options: object) =>
        (target[name as 'delete'] as (...args: unknown[]) => unknown).call(
          target,
          of.replace('poll:', 'wall:'),
          options,
        ),
    });
    await run(named, 'admin');
    const { entries } = await storeOf().resume({ room: 'wall:lunch', after: 0, idleTtlMs: 0 });
    expect(entries.map(({ first, events }) => [first, events[0]!.event])).toEqual([[2, '"poll.opened"']]);
  });

  it('may be told again, of rooms that never were, and tells nonsense', async () => {
    await start(1);
    const first = await rooms().delete(room);
    const ann = await member('ann', 0);
    const second = await rooms().delete(room);
    expect([first, second].map(({ seq }) => seq)).toEqual([1, 2]);
    await ann.event('$reset');
    await expect(rooms().to(room).remove('ann')).resolves.toMatchObject({ seq: 3 });
    await expect(rooms().to(room).append('by node', 'wall.said', {})).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(rooms().delete('nothing:1')).rejects.toMatchObject({ code: 'not_found' });
    for (const name of ['', 'wall', undefined!, {} as never]) {
      await expect(rooms().delete(name)).rejects.toMatchObject({
        code: expect.stringMatching(/invalid|not_found/),
      });
    }
    for (const options of [{ reason: 'x'.repeat(129) }, { by: 1 }, null, 'now'] as never[]) {
      await expect(rooms().delete(room, options)).rejects.toMatchObject({ code: 'invalid' });
    }
  });

  it('leaves a room of the SDK, whose copies and numbers begin anew at the next join', async () => {
    await start();
    const sdk = new WssClient(`${cluster.nodes[1]!.url}?user=bob`, { WebSocket });
    try {
      const here = sdk.room(room);
      const resets: unknown[] = [];
      here.onReset(({ reason, lost }) => void resets.push({ reason, lost }));
      const copy = here.state('wall');
      await here.command('wall.put', { text: 'one' });
      expect(copy.value).toEqual({ notes: ['one'] });
      await rooms().delete(room, { reason: 'old' });
      await eventually(() =>
        expect(here.status).toMatchObject({ state: 'left', error: { code: 'forbidden', message: 'old' } }),
      );
      expect(resets).toEqual([{ reason: 'deleted', lost: null }]);
      expect(here.position).toBeUndefined();
      await expect(copy.ready).rejects.toMatchObject({ code: 'forbidden' });
      expect(sdk.status.state).toBe('open');
      await here.join();
      expect(await copy.ready).toEqual({ notes: [] });
      await here.command('wall.put', { text: 'two' });
      expect(copy.value).toEqual({ notes: ['two'] });
      expect(copy.version).toBe(3);
      expect(resets).toHaveLength(1);
    } finally {
      sdk.close();
    }
  });
});
