import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { WssClient } from '@wss/client';
import { eventually, GatewayCluster, TestClient } from '@wss/testing';
import { engines, type Running } from './running.js';
import { WebSocket } from 'ws';

interface Page {
  version: number;
  count: number;
  users: { user: string; meta?: object }[];
  next?: string;
}

/** Deaths are seen after a lease, and leaves after the grace; machines are slow. */
const PATIENT = { withinMs: 25_000, everyMs: 100 };

const pageOf = (client: TestClient, room: string, data: object = {}): Promise<Page> =>
  client.command<Page>('$presence', data, { room });
const usersIn = async (client: TestClient, room: string): Promise<string[]> =>
  (await pageOf(client, room)).users.map(({ user }) => user);

/** How often a client heard of each user that came or left. */
function told(client: TestClient, what: 'joined' | 'left'): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { data } of client.presence) {
    const users = what === 'left' ? data!.left : data!.joined.map(({ user }) => user);
    for (const user of users) counts[user] = (counts[user] ?? 0) + 1;
  }
  return counts;
}

async function member(url: string, user: string, room: string, data: object = {}): Promise<TestClient> {
  const client = await TestClient.connect(url, { user });
  await client.join(room, data);
  return client;
}

describe.each(engines(2))('presence on %s', (_name, start) => {
  let running: Running;
  let room: string;
  beforeAll(async () => {
    running = await start();
  });
  afterAll(() => running?.stop());
  beforeEach(() => {
    room = `chat:${randomUUID()}`;
  });

  it('announces the first client of a user and the end of the last, on whichever node', async () => {
    const watcher = await member(running.urls[0]!, 'watcher', room);
    const [one, two] = await Promise.all(
      running.urls.map((url) => member(url, 'ann', room, { meta: { x: 1 } })),
    );
    await eventually(() => expect(told(watcher, 'joined')).toEqual({ watcher: 1, ann: 1 }));
    await one!.command('$leave', {}, { room });
    expect(await usersIn(watcher, room)).toEqual(['ann', 'watcher']);
    await two!.command('$leave', {}, { room });
    await eventually(() => expect(told(watcher, 'left')).toEqual({ ann: 1 }));
    expect(await usersIn(watcher, room)).toEqual(['watcher']);
    const joined = watcher.presence.flatMap(({ data }) => data!.joined);
    expect(joined).toContainEqual({ user: 'ann', meta: { x: 1 } });
    const versions = watcher.presence.map(({ data }) => data!.version);
    expect(versions.map((version) => version - versions[0]!)).toEqual(versions.map((_, i) => i));
  });

  it('lists users in pages, with their number', async () => {
    const names = Array.from({ length: 7 }, (_, i) => `u${i}`);
    const clients = await Promise.all(names.map((name, i) => member(running.urls[i % 2]!, name, room)));
    const reader = clients[0]!;
    await eventually(async () => expect(await usersIn(reader, room)).toEqual(names));
    const first = await pageOf(reader, room, { limit: 3 });
    expect(first).toMatchObject({
      count: 7,
      users: [{ user: 'u0' }, { user: 'u1' }, { user: 'u2' }],
      next: 'u2',
    });
    const last = await pageOf(reader, room, { after: 'u4', limit: 3 });
    expect(last.users).toEqual([{ user: 'u5' }, { user: 'u6' }]);
    expect(last.next).toBeUndefined();
  });

  it('lets who came see itself at once', async () => {
    const client = await member(running.urls[1]!, 'ann', room);
    expect(await usersIn(client, room)).toEqual(['ann']);
  });

  it('R21: announces nothing of a user who is back within the grace', async () => {
    const watcher = await member(running.urls[0]!, 'watcher', room);
    for (let i = 0; i < 3; i++) {
      const client = await member(running.urls[i % 2]!, 'ann', room);
      await client.terminate();
    }
    await member(running.urls[1]!, 'ann', room);
    // A mark that comes after everything that could be announced of the others.
    const mark = await member(running.urls[1]!, 'mark', room);
    await eventually(() => expect(told(watcher, 'joined').mark).toBe(1));
    await mark.command('$leave', {}, { room });
    await eventually(() => expect(told(watcher, 'left')).toEqual({ mark: 1 }));
    expect(told(watcher, 'joined')).toEqual({ watcher: 1, ann: 1, mark: 1 });
  });

  it('announces a user who does not come back, once', async () => {
    const watcher = await member(running.urls[0]!, 'watcher', room);
    const client = await member(running.urls[1]!, 'ann', room);
    await eventually(() => expect(told(watcher, 'joined').ann).toBe(1));
    await client.terminate();
    await eventually(() => expect(told(watcher, 'left')).toEqual({ ann: 1 }), PATIENT);
    expect(await usersIn(watcher, room)).toEqual(['watcher']);
  });

  it('refuses who may not ask, and what can not be asked', async () => {
    const ann = await member(running.urls[0]!, 'ann', room);
    const codeOf = async (data: object, envelope: object): Promise<string | undefined> =>
      (await ann.request('$presence', data, envelope)).error?.code;
    await ann.join('counter:1');
    expect(await codeOf({}, {})).toBe('bad_frame');
    expect(await codeOf({}, { room: 'counter:1' })).toBe('not_found');
    expect(await codeOf({}, { room: 'nope:1' })).toBe('not_found');
    expect(await codeOf({}, { room: 'chat' })).toBe('invalid');
    expect(await codeOf({}, { room: `chat:${randomUUID()}` })).toBe('forbidden');
    for (const data of [{ limit: 0 }, { limit: 501 }, { limit: 1.5 }, { after: 5 }]) {
      expect(await codeOf(data, { room })).toBe('invalid');
    }
    const asked = await pageOf(ann, room);
    for (const data of [{ limit: null }, { after: null }, { after: null, limit: null }]) {
      expect(await pageOf(ann, room, data)).toEqual(asked);
    }
    const meta = { text: 'x'.repeat(1_024) };
    expect((await ann.request('$join', { meta }, { room })).error).toMatchObject({
      code: 'invalid',
      details: [{ path: 'meta' }],
    });
  });

  it('gives the SDK a live list of members', async () => {
    const open = (url: string, user: string): WssClient =>
      new WssClient(`${url}?user=${user}`, { WebSocket });
    const ann = open(running.urls[0]!, 'ann');
    const { members } = ann.room(room as 'chat:x');
    const seen: string[][] = [];
    members.subscribe((list) => seen.push(list.map(({ user }) => user).sort()));
    await ann.room(room as 'chat:x').join();
    await eventually(() => expect(seen.at(-1)).toEqual(['ann']));
    const bob = open(running.urls[1]!, 'bob');
    await bob.room(room as 'chat:x').join();
    await eventually(() => expect(seen.at(-1)).toEqual(['ann', 'bob']));
    await bob.room(room as 'chat:x').leave();
    await eventually(() => expect(seen.at(-1)).toEqual(['ann']));
    for (const client of [ann, bob]) client.close();
  });
});

describe('presence when a node goes', () => {
  let cluster: GatewayCluster;
  let room: string;
  const urls = (): string[] => cluster.nodes.map(({ url }) => url);
  beforeEach(() => {
    room = `chat:${randomUUID()}`;
  });
  beforeAll(async () => {
    cluster = await GatewayCluster.start({ nodes: 4 });
  });
  afterAll(() => cluster?.stop());

  it('R21: a killed node: one leave for each user who is nowhere else, one node cleans up', async () => {
    // One after the other: a user who joins at the same time shows either in the list or in an event.
    const second = await member(urls()[1]!, 'watcher1', room);
    const watchers = [await member(urls()[0]!, 'watcher0', room), second];
    const names = Array.from({ length: 20 }, (_, i) => `u${String(i).padStart(2, '0')}`);
    await Promise.all(names.map((name) => member(urls()[3]!, name, room)));
    // These are on another node as well, or come to one in time.
    await Promise.all(names.slice(0, 5).map((name) => member(urls()[0]!, name, room)));
    await eventually(() => expect(Object.keys(told(watchers[1]!, 'joined'))).toHaveLength(22), PATIENT);
    await cluster.nodes[3]!.kill();
    await Promise.all(names.slice(5, 10).map((name) => member(urls()[1]!, name, room)));
    const gone = Object.fromEntries(names.slice(10).map((name) => [name, 1]));
    for (const watcher of watchers)
      await eventually(() => expect(told(watcher, 'left')).toEqual(gone), PATIENT);
    expect(await usersIn(watchers[0]!, room)).toEqual([...names.slice(0, 10), 'watcher0', 'watcher1']);
    const cleaned = (): string[] =>
      cluster.nodes.flatMap(({ output }) => output.filter((line) => line.includes('cleaned up behind')));
    await eventually(() => expect(cleaned()).toHaveLength(1));
  });

  it('R21: a node that is stopped in order: who comes back is never announced, the others leave once', async () => {
    const watcher = await member(urls()[0]!, 'watcher', room);
    await Promise.all(['ann', 'bob'].map((name) => member(urls()[2]!, name, room)));
    await eventually(() => expect(Object.keys(told(watcher, 'joined'))).toHaveLength(3), PATIENT);
    await cluster.nodes[2]!.stop();
    await member(urls()[1]!, 'ann', room);
    await eventually(() => expect(told(watcher, 'left')).toEqual({ bob: 1 }), PATIENT);
    expect(told(watcher, 'joined')).toEqual({ watcher: 1, ann: 1, bob: 1 });
    expect(await usersIn(watcher, room)).toEqual(['ann', 'watcher']);
  });
});

describe('presence when Redis comes back', () => {
  const clusters: GatewayCluster[] = [];
  afterEach(async () => void (await Promise.all(clusters.splice(0).map((cluster) => cluster.stop()))));

  // Both at a time: most of it is waiting for leases.
  it('R21: with its data or empty, nobody is said to have left', async () => {
    const kept = ['--appendonly', 'yes', '--appendfsync', 'always'];
    await Promise.all([kept, []].map(expectNobodyToLeave));
  });

  async function expectNobodyToLeave(args: readonly string[]): Promise<void> {
    const room = `chat:${randomUUID()}`;
    const cluster = await GatewayCluster.start({ nodes: 2, redis: { args } });
    clusters.push(cluster);
    const urls = cluster.nodes.map(({ url }) => url);
    const names = ['ann', 'bob', 'cid', 'dan'];
    const clients = await Promise.all(names.map((name, i) => member(urls[i % 2]!, name, room)));
    const watcher = clients[0]!;
    await eventually(async () => expect(await usersIn(watcher, room)).toEqual(names), PATIENT);
    await cluster.redis.kill();
    await eventually(async () => {
      const { error } = await watcher.request('$presence', {}, { room });
      expect(error?.code).toBe('unavailable');
    });
    await cluster.redis.restart();
    await eventually(async () => expect(await usersIn(watcher, room)).toEqual(names), PATIENT);
    // A death now, after two lease periods, proves that deaths are looked for again, and none was seen before.
    const eve = await TestClient.connect(urls[1]!, { user: 'eve' });
    // This node's links may come back later than those of the other.
    await eventually(() => eve.join(room), PATIENT);
    await heardAll(watcher, [...names, 'eve']);
    await cluster.nodes[1]!.kill();
    await eventually(() => expect(told(watcher, 'left')).toEqual({ bob: 1, dan: 1, eve: 1 }), {
      ...PATIENT,
      withinMs: 45_000,
    });
    expect(await usersIn(watcher, room)).toEqual(['ann', 'cid']);
  }

  /**
   * Waits until a client's announcements have reached a list with these users. Its node's subscribing link may be back
   * later than the others; what it missed until then shows by a later version.
   */
  async function heardAll(client: TestClient, users: readonly string[]): Promise<void> {
    await eventually(async () => {
      const room = client.presence.at(-1)!.room!;
      const page = await pageOf(client, room);
      expect(page.users.map(({ user }) => user)).toEqual(users);
      expect(client.presence.at(-1)!.data!.version).toBe(page.version);
    }, PATIENT);
  }
});
