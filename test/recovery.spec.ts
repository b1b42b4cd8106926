import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { eventually, GatewayCluster, type ServerFrame, TestClient } from '@wss/testing';

interface Joined {
  epoch: string;
  seq: number;
  recovered: boolean;
  missed: number;
  n?: number;
  reason?: string;
  lost?: { from: number; to: number };
  documents?: Record<string, { version: number; value: unknown }>;
}

const seqsOf = (frames: readonly ServerFrame[]): unknown[] => frames.map(({ seq }) => seq);
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Filters out notices about the node's links, which are checked apart from the events of rooms. */
const isNoNotice = ({ event }: ServerFrame): boolean => event !== '$notice';

async function take(client: TestClient, count: number): Promise<ServerFrame[]> {
  const frames: ServerFrame[] = [];
  while (frames.length < count) frames.push(await client.next(isNoNotice, 20_000));
  return frames;
}

async function session(
  url: string,
  token?: string,
): Promise<{ client: TestClient; hello: Record<string, unknown> }> {
  const protocols = ['wss.v1', ...(token === undefined ? [] : [`wss.resume.${token}`])];
  const client = await TestClient.connect(url, { user: 'ann', protocols });
  return { client, hello: (await client.next()).data as Record<string, unknown> };
}

describe('joining at a position', () => {
  let cluster: GatewayCluster;
  let room: string;
  let writer: TestClient;
  const urls = (): string[] => cluster.nodes.map(({ url }) => url);

  beforeAll(async () => {
    cluster = await GatewayCluster.start({ nodes: 2 });
  });
  afterAll(() => cluster?.stop());
  beforeEach(async () => {
    room = `counter:${randomUUID()}`;
    writer = await TestClient.connect(urls()[0]!);
    await writer.join(room);
  });
  const add = async (times: number): Promise<void> => {
    await Promise.all(
      Array.from({ length: times }, () => writer.command('counter.add', { by: 1 }, { room })),
    );
  };
  const join = async (data: object, url = urls()[1]!): Promise<{ client: TestClient; joined: Joined }> => {
    const client = await TestClient.connect(url);
    return { client, joined: await client.join<Joined>(room, data) };
  };

  it('brings what was missed, then what is live, each once', async () => {
    const { joined: start } = await join({});
    await add(5);
    const { client, joined } = await join({ epoch: start.epoch, seq: 2 });
    expect(joined).toEqual({ epoch: start.epoch, seq: 5, recovered: true, missed: 3 });
    await add(2);
    expect(seqsOf(await take(client, 5))).toEqual(range(3, 7));
  });

  it('merges what is missed and what is live while events keep coming', async () => {
    const { joined: start } = await join({});
    const adding = add(400);
    const joins = await Promise.all(
      range(0, 19).map(async (i) => {
        await eventually(async () => {
          const { value } = await writer.command<{ value: number }>('counter.read', {}, { room });
          expect(value).toBeGreaterThanOrEqual(i * 10);
        });
        return join({ epoch: start.epoch, seq: 0 }, urls()[i % 2]!);
      }),
    );
    await adding;
    for (const { client, joined } of joins) {
      expect(joined.recovered).toBe(true);
      expect(seqsOf(await take(client, 400))).toEqual(range(1, 400));
    }
  });

  it('shows the newest events without a position', async () => {
    await add(7);
    const { client, joined } = await join({ last: 3 });
    expect(joined).toMatchObject({ seq: 7, recovered: true, missed: 3 });
    expect(seqsOf(await take(client, 3))).toEqual([5, 6, 7]);
    expect(seqsOf(await take((await join({ last: 100 })).client, 7))).toEqual(range(1, 7));
  });

  it('gives the documents to who keeps a live copy, and patches from there on', async () => {
    expect((await join({ state: true })).joined.documents).toEqual({
      counter: { version: 0, value: { value: 0 } },
    });
    await add(4);
    const { client, joined } = await join({ state: true });
    expect(joined).toMatchObject({
      recovered: true,
      documents: { counter: { value: { value: joined.seq } } },
    });
    await add(1);
    const frames = await take(client, 5 - joined.seq);
    expect(frames.at(-1)).toMatchObject({
      seq: 5,
      patch: { counter: { base: 4, ops: [{ op: 'replace', value: 5 }] } },
    });
  });

  it('shows every command that was answered before, on a node that has not heard of it yet', async () => {
    const late = await GatewayCluster.start({ nodes: 2, proxied: true });
    try {
      const [there, here] = late.nodes.map(({ url }) => url);
      const writer = await TestClient.connect(there!);
      for (const client of [writer, await TestClient.connect(here!)])
        await client.join(room, { state: true });
      for (const by of range(1, 5)) {
        const client = await TestClient.connect(here!);
        late.proxies[1]!.latencyMs = 100;
        const { value } = await writer.command<{ value: number }>('counter.add', { by }, { room });
        const { documents, missed } = await client.join<Joined>(room, { state: true });
        const [last] = (await take(client, missed)).slice(-1);
        expect(last?.data ?? documents!.counter!.value).toMatchObject({ value });
        late.proxies[1]!.latencyMs = 0;
      }
    } finally {
      await late.stop();
    }
  });

  it.each([
    [
      'a position from the future',
      (epoch: string) => ({ epoch, seq: 9 }),
      { reason: 'rolled_back', lost: { from: 4, to: 9 } },
    ],
    ['an epoch that never was', () => ({ epoch: '1.none', seq: 1 }), { reason: 'unknown_epoch' }],
  ])('answers %s with the reason and the state', async (_what, position, answer) => {
    await add(3);
    const { joined: start } = await join({});
    const { client, joined } = await join(position(start.epoch));
    expect(joined).toMatchObject({
      recovered: false,
      missed: 0,
      seq: 3,
      documents: { counter: { version: 3, value: { value: 3 } } },
      ...answer,
    });
    await add(1);
    expect(seqsOf(await take(client, 1))).toEqual([4]);
  });

  it('never serves a part of what was missed', async () => {
    const { joined: start } = await join({});
    for (const _ of range(1, 3)) await add(500);
    const { joined } = await join({ epoch: start.epoch, seq: 0 });
    expect(joined).toMatchObject({ recovered: false, reason: 'too_far', seq: 1_500 });
  });

  it('refuses half a position', async () => {
    expect((await writer.request('$join', { seq: 3 }, { room })).error).toMatchObject({
      code: 'invalid',
      details: [{ path: 'epoch' }],
    });
  });
});

describe('a session', () => {
  let cluster: GatewayCluster;
  beforeAll(async () => {
    cluster = await GatewayCluster.start({ nodes: 3 });
  });
  afterAll(() => cluster?.stop());

  it('goes on after its node was killed: memberships, missed events, numbers', async () => {
    const room = `counter:${randomUUID()}`;
    const [first, second, third] = cluster.nodes;
    const { client, hello } = await session(third!.url);
    const start = await client.join<Joined>(room);
    await client.command('counter.add', { by: 1 }, { room, n: 1 });
    await client.next();
    await third!.kill();
    await client.closed;
    const other = await TestClient.connect(second!.url);
    await other.join(room);
    await other.command('counter.add', { by: 10 }, { room });
    const resumed = await session(first!.url, hello.token as string);
    expect(resumed.hello).toMatchObject({ resumed: true, rooms: [room], session: hello.session });
    await resumed.client.command('counter.add', { by: 1 }, { room, n: 2 });
    const joined = await resumed.client.join<Joined>(room, { epoch: start.epoch, seq: 1 });
    expect(joined).toMatchObject({ recovered: true, missed: 2, seq: 3, n: 2 });
    expect(seqsOf(await take(resumed.client, 2))).toEqual([2, 3]);
    await cluster.addNode();
  });

  it('closes the older connection when a newer one takes over, on any node', async () => {
    const { client, hello } = await session(cluster.nodes[0]!.url);
    const taken = await session(cluster.nodes[1]!.url, hello.token as string);
    expect(taken.hello.resumed).toBe(true);
    expect(await client.closed).toEqual({ code: 4500, reason: 'session taken over' });
    const again = await session(cluster.nodes[1]!.url, taken.hello.token as string);
    expect((await taken.client.closed).code).toBe(4500);
    expect(await again.client.drain()).toEqual([]);
  });

  it('R8: refuses commands of the connection that was taken over', async () => {
    const room = `counter:${randomUUID()}`;
    const { client, hello } = await session(cluster.nodes[0]!.url);
    await client.join(room);
    await client.command('counter.add', { by: 1 }, { room, n: 1 });
    const taken = await session(cluster.nodes[1]!.url, hello.token as string);
    await taken.client.command('counter.add', { by: 1 }, { room, n: 2 });
    const old = await client.request('counter.add', { by: 1 }, { room, n: 3 }).catch(() => undefined);
    expect(old?.error?.code ?? 'session_expired').toBe('session_expired');
    expect(await taken.client.request('counter.add', { by: 1 }, { room, n: 3 })).toMatchObject({
      data: { value: 3 },
    });
  });

  it('forgets a room that was left', async () => {
    const room = `chat:${randomUUID()}`;
    const { client, hello } = await session(cluster.nodes[0]!.url);
    await client.join(room);
    await client.command('$leave', {}, { room });
    await client.terminate();
    const resumed = await session(cluster.nodes[1]!.url, hello.token as string);
    expect(resumed.hello).toMatchObject({ resumed: true, rooms: [] });
  });
});

describe('a node that misses messages', () => {
  it('delivers them all the same, in order and once', async () => {
    const cluster = await GatewayCluster.start({ nodes: 2 });
    const room = `chat:${randomUUID()}`;
    const [writer, reader] = await Promise.all(cluster.nodes.map(({ url }) => TestClient.connect(url)));
    for (const client of [writer!, reader!]) await client.join(room);
    let sent = 0;
    for (const kill of range(1, 10)) {
      await Promise.all(
        range(1, 50).map(() => writer!.command('chat.send', { text: `m${++sent}` }, { room })),
      );
      if (kill % 2 === 0) await cluster.redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    }
    for (const client of [writer!, reader!]) expect(seqsOf(await take(client, sent))).toEqual(range(1, sent));
    await cluster.stop();
  });

  it('finds the last one too, when nothing comes after it', async () => {
    const cluster = await GatewayCluster.start({ nodes: 2, proxied: true });
    const room = `chat:${randomUUID()}`;
    const [writer, reader] = await Promise.all(cluster.nodes.map(({ url }) => TestClient.connect(url)));
    for (const client of [writer!, reader!]) await client.join(room);
    await cluster.proxies[1]!.setMode('cut');
    await writer!.command('chat.send', { text: 'the only one' }, { room });
    await cluster.proxies[1]!.setMode('pass');
    expect((await reader!.next(isNoNotice, 20_000)).seq).toBe(1);
    await cluster.stop();
  });
});

describe('a Redis that restarts', () => {
  it('R15: with its data goes on under a new epoch, and tells senders what survived', async () => {
    const cluster = await GatewayCluster.start({
      nodes: 2,
      redis: { args: ['--appendonly', 'yes', '--appendfsync', 'always'] },
    });
    const room = `counter:${randomUUID()}`;
    const { client } = await session(cluster.nodes[0]!.url);
    const other = await TestClient.connect(cluster.nodes[1]!.url);
    const { epoch } = await client.join<Joined>(room);
    await other.join(room);
    await client.command('counter.add', { by: 1 }, { room, n: 1 });
    await cluster.redis.kill();
    await cluster.redis.restart();
    await eventually(
      async () => {
        await other.command('counter.add', { by: 1 }, { room });
      },
      { withinMs: 20_000 },
    );
    const frames = (await client.until(({ seq }) => seq === 2, 20_000)).filter(isNoNotice);
    expect(frames.map(({ event }) => event)).toEqual(['counter.added', '$epoch']);
    expect(frames[1]!.data).toMatchObject({ seq: 1, n: 1 });
    expect((frames[1]!.data as { epoch: string }).epoch).not.toBe(epoch);
    expect(JSON.stringify(other.frames)).not.toContain('$reset');
    await cluster.stop();
  });

  it('empty tells everybody, with the state as it is now', async () => {
    const cluster = await GatewayCluster.start({ nodes: 2 });
    const room = `counter:${randomUUID()}`;
    const { client } = await session(cluster.nodes[0]!.url);
    const other = await TestClient.connect(cluster.nodes[1]!.url);
    for (const each of [client, other]) await each.join(room);
    await client.command('counter.add', { by: 1 }, { room, n: 1 });
    for (const each of [client, other]) expect((await each.next()).seq).toBe(1);
    await cluster.redis.kill();
    await cluster.redis.restart();
    const documents = { counter: { version: 0, value: { value: 0 } } };
    const reset = { reason: 'unknown_epoch', seq: 0, lost: null, documents };
    expect(await client.next(isNoNotice, 20_000)).toMatchObject({
      event: '$reset',
      data: { ...reset, applied: 0 },
    });
    expect(await other.next(isNoNotice, 20_000)).toMatchObject({
      event: '$reset',
      data: { ...reset, applied: null },
    });
    for (const node of cluster.nodes) {
      const told = /: \d have lost their history \(Redis was emptied/;
      await node.waitForLine(told);
      expect(node.output.filter((line) => told.test(line))).toHaveLength(1);
    }
    await cluster.stop();
  });
});

describe('a client that stops reading', () => {
  it('costs the others nothing and gets everything when it reads again', async () => {
    const cluster = await GatewayCluster.start({ nodes: 1 });
    const [url] = cluster.nodes.map((node) => node.url);
    const room = `chat:${randomUUID()}`;
    const [slow, fast] = [await TestClient.connect(url!), await TestClient.connect(url!)];
    for (const client of [slow, fast]) await client.join(room);
    slow.socket.pause();
    const text = 'x'.repeat(2_000);
    let sent = 0;
    for (const _ of range(1, 60)) {
      await Promise.all(range(1, 100).map(() => fast.command('chat.send', { text }, { room })));
      sent += 100;
      expect(seqsOf(await take(fast, 100))).toEqual(range(sent - 99, sent));
    }
    slow.socket.resume();
    const frames: ServerFrame[] = [];
    for (let last = 0; last < sent;) {
      const frame = await slow.next(isNoNotice, 20_000);
      frames.push(frame);
      last = frame.event === '$reset' ? (frame.data as { seq: number }).seq : frame.seq!;
    }
    for (const [i, frame] of frames.entries()) {
      const before = frames[i - 1];
      if (frame.event === '$reset' || !before) continue;
      const at = before.event === '$reset' ? (before.data as { seq: number }).seq : before.seq!;
      expect(frame.seq).toBe(at + 1);
    }
    expect(frames.filter(({ event }) => event === '$reset').length).toBeLessThanOrEqual(1);
    await cluster.stop();
  });
});
