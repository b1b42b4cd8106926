import { afterEach, describe, expect, it } from '@jest/globals';
import { RoomEndings, Rooms } from '@wss/cluster';
import { WssClient } from '@wss/client';
import { RoomStore } from '@wss/state';
import { eventually, FeatureCluster, newSeed, Random, type ServerFrame, type TestClient } from '@wss/testing';
import { WebSocket } from 'ws';
import { banned, ClubModule, guarding, type Said } from './fixtures/club.js';

const room = 'club:1';
const seed = newSeed();
const random = new Random(seed);

describe.each(['memory', 'redis'] as const)('R38, R39: a removal on %s', (engine) => {
  let cluster: FeatureCluster;
  afterEach(async () => {
    banned.clear();
    guarding.afterDecision = undefined;
    await cluster?.stop();
  });

  const start = async (nodes = 2): Promise<void> => {
    cluster = await FeatureCluster.start({
      features: [ClubModule],
      nodes,
      engine,
      logger: ['error', 'fatal'],
    });
  };
  const rooms = (node = 0) => cluster.nodes[node]!.app.get(Rooms, { strict: false });
  const say = (client: TestClient, text: string, envelope: object = {}, of = room) =>
    client.request<{ seq: number }>(`${of.split(':')[0]}.say`, { text }, { room: of, ...envelope });
  const member = async (user: string, node: number, session = false): Promise<TestClient> => {
    const client = await cluster.connect(user, { node, session });
    await client.join(room);
    return client;
  };
  const ofRoom = (frames: readonly ServerFrame[], of = room) => frames.filter((frame) => frame.room === of);
  /** Everything of the room that comes until what was said before has come. */
  async function untilSaid(client: TestClient, text: string): Promise<ServerFrame[]> {
    return ofRoom(await client.until((frame) => (frame.data as Partial<Said>)?.text === text));
  }

  it('ends with $removed what its user gets, on every node, and others see $changed', async () => {
    await start();
    const [ann, bob, eve] = [await member('ann', 0), await member('bob', 1), await member('bob', 0)];
    await say(ann, 'before');
    const { seq } = await rooms(0).to(room).remove('bob', { reason: 'spam "1"\n', by: 'ann' });
    expect(seq).toBe(2);
    await say(ann, 'after');
    for (const client of [bob, eve]) {
      await client.event('club.said');
      expect(await client.event('$removed')).toMatchObject({ room, seq: 2, data: { reason: 'spam "1"\n' } });
      await ann.request('club.type', { text: 'x' }, { room });
      expect(ofRoom(await client.drain())).toEqual([]);
      expect(await say(client, 'me')).toMatchObject({ error: { code: 'forbidden' } });
    }
    const seen = await untilSaid(ann, 'after');
    expect(seen.map(({ event, seq: at }) => [event, at])).toEqual([
      ['club.said', 1],
      ['$changed', 2],
    ]);
    await eventually(() => expect(ann.presence.at(-1)).toMatchObject({ data: { left: ['bob'] } }));
  });

  it('is over for whoever joins again, if the guard allows it', async () => {
    await start();
    const [ann, bob] = [await member('ann', 0), await member('bob', 1, true)];
    banned.add('bob');
    await rooms(1).to(room).remove('bob');
    await bob.event('$removed');
    expect(await bob.request('$join', {}, { room })).toMatchObject({ error: { code: 'forbidden' } });
    banned.clear();
    await bob.join(room);
    expect(await say(bob, 'back', { n: 1 })).toMatchObject({ data: { seq: 2 } });
    await untilSaid(ann, 'back');
    // And so it is after it came back.
    await bob.reconnect();
    expect(bob.hello.rooms).toEqual([room]);
    await bob.join(room);
    expect(await say(bob, 'again', { n: 2 })).toMatchObject({ data: { seq: 3 } });
  });

  it('is not undone by a session that comes back, at any position', async () => {
    await start();
    const ann = await member('ann', 0);
    const bob = await cluster.connect('bob', { node: 1, session: true });
    const at = await bob.join<{ epoch: string; seq: number }>('open:1');
    const inClub = await bob.join<{ epoch: string; seq: number }>(room);
    await bob.terminate();
    await rooms(0).to('open:1').remove('bob', { reason: 'rude' });
    await rooms(0).to(room).close({ reason: 'over' });
    await ann.event('$removed');
    await bob.reconnect();
    expect(bob.hello).toMatchObject({ resumed: true });
    expect(await say(bob, 'me', {}, 'open:1')).toMatchObject({ error: { code: 'forbidden' } });
    const position = { epoch: at.epoch, seq: at.seq };
    const again = await bob.request('$join', position, { room: 'open:1' });
    expect(again).toMatchObject({ error: { code: 'forbidden', message: expect.stringContaining('rude') } });
    expect(await bob.event('$removed')).toMatchObject({ room: 'open:1', data: { reason: 'rude' } });
    const { epoch, seq } = inClub;
    expect(await bob.request('$join', { epoch, seq }, { room })).toMatchObject({
      error: { code: 'forbidden' },
    });
    // Without a session it can't be known, but by the position.
    const other = await cluster.connect('bob', { node: 0 });
    expect(await other.request('$join', position, { room: 'open:1' })).toMatchObject({
      error: { code: 'forbidden' },
    });
    await bob.join('open:1');
    expect(await say(bob, 'hi', {}, 'open:1')).toMatchObject({ data: { seq: 2 } });
  });

  it('is not undone by a join whose guard had decided before', async () => {
    await start();
    const ann = await member('ann', 0);
    const bob = await cluster.connect('bob', { node: 1 });
    guarding.afterDecision = async () => {
      guarding.afterDecision = undefined;
      banned.add('bob');
      await rooms(0).to(room).remove('bob');
    };
    expect(await bob.request('$join', {}, { room })).toMatchObject({ error: { code: 'forbidden' } });
    await say(ann, 'after');
    expect(ofRoom(await bob.drain())).toEqual([]);
  });

  it('is not undone by many others that push it off the list of the room', async () => {
    await start();
    const open = 'open:1';
    for (const others of [63, 64, 65 + random.below(8)]) {
      const [bob, stays] = await Promise.all(
        ['bob', 'dan'].map(async (user) => {
          const client = await cluster.connect(user, { node: random.below(2), session: true });
          const { epoch, seq } = await client.join<{ epoch: string; seq: number }>(open);
          return { client, at: { epoch, seq } };
        }),
      );
      await bob!.client.terminate();
      await rooms(0).to(open).remove('bob');
      let last = 0;
      for (let i = 0; i < others; i++)
        ({ seq: last } = await rooms(random.below(2)).to(open).remove(`other ${i}`));
      const info = { seed, others };
      await cluster.reconnect(bob!.client, random.below(2));
      const early = await say(bob!.client, 'me', {}, open);
      expect({ ...info, code: early.error?.code }).toEqual({
        ...info,
        code: expect.stringMatching(/^(forbidden|unavailable)$/),
      });
      // Once it has been told, it may join anew.
      const position = early.error!.code === 'forbidden' ? bob!.at : random.pick([{}, bob!.at]);
      const back = await bob!.client.request('$join', position, { room: open });
      expect({ ...info, code: back.error?.code }).toEqual({ ...info, code: 'forbidden' });
      expect(await say(bob!.client, 'me', {}, open)).toMatchObject({ error: { code: 'forbidden' } });
      // A member who was there all the time, and saw them all, goes on.
      await stays!.client.until(({ event, seq }) => event === '$changed' && seq === last);
      await cluster.reconnect(stays!.client, random.below(2));
      const { epoch } = stays!.at;
      const { error } = await stays!.client.request('$join', { epoch, seq: last }, { room: open });
      expect({ ...info, error }).toEqual({ ...info, error: undefined });
      await bob!.client.join(open);
      for (const { client } of [bob!, stays!]) await client.close();
    }
  });

  it('leaves a room of the SDK, which joins it again only if it is told to', async () => {
    await start();
    const ann = await member('ann', 0);
    const sdk = new WssClient(`${cluster.nodes[1]!.url}?user=bob`, { WebSocket });
    try {
      const here = sdk.room(room);
      const texts: string[] = [];
      here.on('club.said', ({ data }) => void texts.push((data as Said).text));
      await here.join();
      await say(ann, 'before');
      await eventually(() => expect(texts).toEqual(['before']));
      banned.add('bob');
      await rooms(0).to(room).remove('bob', { reason: 'rude' });
      await eventually(() =>
        expect(here.status).toMatchObject({ state: 'left', error: { code: 'forbidden', message: 'rude' } }),
      );
      await say(ann, 'meanwhile');
      await expect(here.command('club.say', { text: 'me' })).rejects.toMatchObject({ code: 'forbidden' });
      await expect(here.join()).rejects.toMatchObject({ code: 'forbidden' });
      banned.clear();
      await here.join();
      await here.command('club.say', { text: 'again' });
      await eventually(() => expect(texts).toEqual(['before', 'again']));
      expect(sdk.status.state).toBe('open');
    } finally {
      sdk.close();
    }
  });

  it('ends one session, and leaves the others of its user', async () => {
    await start();
    const [one, two] = [await member('bob', 0, true), await member('bob', 1, true)];
    await rooms(1).to(room).remove({ session: one.hello.session }, { reason: 'old' });
    await one.event('$removed');
    expect(await say(two, 'still here')).toMatchObject({ data: { seq: 2 } });
    expect(ofRoom(await one.drain())).toEqual([]);
    await two.event('$changed');
  });

  it('refuses what its user has under way, and does the rest', async () => {
    await start();
    const [ann, bob] = [await member('ann', 0, true), await member('bob', 0, true)];
    await Promise.all([say(ann, 'a', { n: 1 }), say(bob, 'b', { n: 1 })]);
    // Node 0 learns of it from the room or from its next commit, whichever comes first.
    const removed = rooms(1).to(room).remove('bob');
    const sent = [2, 3, 4, 5].flatMap((n) => [say(bob, `b${n}`, { n }), say(ann, `a${n}`, { n })]);
    const [{ seq }, ...replies] = await Promise.all([removed, ...sent]);
    const [bobs, anns] = [replies.filter((_, i) => i % 2 === 0), replies.filter((_, i) => i % 2 === 1)];
    expect(anns.every(({ error }) => error === undefined)).toBe(true);
    for (const reply of bobs) {
      if (reply.error) expect(['forbidden', 'out_of_order']).toContain(reply.error.code);
      else expect(reply.data!.seq).toBeLessThan(seq);
    }
  });

  it('refuses what its user sent behind a join that was not answered yet', async () => {
    await start();
    const ann = await member('ann', 0);
    const bob = await cluster.connect('bob', { node: 0, session: true });
    guarding.afterDecision = () => rooms(1).to('open:1').remove('nobody');
    const joined = bob.join(room);
    const sent = Array.from({ length: 40 }, (_, n) => say(bob, `b${n}`, { n: n + 1 }));
    await joined;
    const { seq } = await rooms(1).to(room).remove('bob');
    for (const { data } of await Promise.all(sent)) if (data) expect(data.seq).toBeLessThan(seq);
    expect(await say(ann, 'after')).toMatchObject({ data: { seq: seq + 1 } });
  });

  it('tells nonsense, and takes what changes nothing', async () => {
    await start(1);
    const target = rooms().to(room);
    await expect(target.remove('nobody')).resolves.toMatchObject({ seq: 1 });
    await expect(target.remove('nobody')).resolves.toMatchObject({ seq: 2 });
    await expect(target.close()).resolves.toMatchObject({ seq: 3 });
    await expect(rooms().to('nothing:1').remove('ann')).rejects.toMatchObject({ code: 'not_found' });
    for (const user of ['', 'a\n', 'a'.repeat(129), undefined!, {} as never, { session: '' }]) {
      await expect(target.remove(user)).rejects.toMatchObject({ code: 'invalid' });
    }
    await expect(target.remove('ann', { reason: 'x'.repeat(129) })).rejects.toMatchObject({
      code: 'invalid',
    });
    await expect(target.remove('ann', { by: 1 as unknown as string })).rejects.toMatchObject({
      code: 'invalid',
    });
  });

  it('wakes no room that has ended, and is written at most once in its next life', async () => {
    await start(1);
    const { app } = cluster.nodes[0]!;
    const [endings, store] = [app.get(RoomEndings, { strict: false }), app.get(RoomStore, { strict: false })];
    const brief = 'brief:1';
    await endings.end(brief, { user: 'bob' });
    await store.keep(brief, 1);
    const isOver = async () => expect(await store.tops([brief])).toEqual([undefined]);
    await eventually(isOver);
    await endings.look();
    await isOver();
    const ann = await cluster.connect('ann', { node: 0 });
    await say(ann, 'again', {}, brief);
    const seqs: unknown[] = [];
    for (let look = 0; look < 3; look++) {
      await endings.look();
      seqs.push((await store.tops([brief]))[0]);
    }
    expect(new Set(seqs.map((top) => JSON.stringify(top))).size).toBe(1);
  });

  it('is done again if a failover loses it', async () => {
    await start();
    const ann = await member('ann', 0);
    const [bob, away] = [await member('bob', 1, true), await member('bob', 0, true)];
    await say(ann, 'one');
    await away.terminate();
    // Nothing is proven while the replica is away.
    await cluster.loseTail(async () => {
      const removed = rooms(0).to(room).remove('bob');
      if (engine === 'redis')
        await expect(removed).rejects.toMatchObject({ code: 'unknown_outcome', applied: true });
      else await removed;
    });
    // It may be written again before anybody joins, so the room is asked, and no member.
    const store = cluster.nodes[1]!.app.get(RoomStore, { strict: false });
    await eventually(
      async () => {
        const { gate } = await store.resume({ room, idleTtlMs: 0 });
        expect(gate?.endings).toMatchObject([{ user: 'bob' }]);
      },
      { withinMs: 10_000 },
    );
    // No session brings it back, on any node.
    for (const client of [bob, away]) {
      const answer = async () => (await say(client, 'me')).error?.code;
      await cluster.reconnect(client, client === bob ? 0 : 1);
      await eventually(async () => expect(await answer()).toBe('forbidden'));
      expect(ofRoom(client.frames).filter(({ event }) => event === 'club.said').length).toBeLessThan(2);
    }
    const said = await say(ann, 'after');
    expect(said).toMatchObject({ data: { seq: expect.any(Number) } });
    for (const client of [bob, away])
      expect(ofRoom(await client.drain()).filter(({ data }) => (data as Said).text === 'after')).toEqual([]);
  });
});
