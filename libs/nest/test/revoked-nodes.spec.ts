import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type INestApplication, Injectable, Module } from '@nestjs/common';
import { Admission, type Admitted, Readiness, Rooms, RoomType, Users } from '@wss/nest';
import { eventually, newSeed, type ProxyMode, Random, RedisServer, TcpProxy, TestClient } from '@wss/testing';
import { socketUrl, startApp } from './test-app.js';

/** Tokens were issued long ago, those of witnesses and of users who are only removed will be accepted after any revocation. */
@Injectable()
class TimedAdmission extends Admission {
  admit(_request: IncomingMessage, url: URL): Admitted {
    const user = url.searchParams.get('user')!;
    return { user, issuedAt: Date.now() + (user.startsWith('revoked') ? -60_000 : 3_600_000) };
  }
}

@Injectable()
// On a fast machine more is said in a cut of 5 s than a room keeps by default.
@RoomType('note', { history: { events: 10_000 } })
class Notes {}

@Module({ providers: [Notes] })
class NotesModule {}

/** How users are put out. */
type How = 'revoke' | 'remove';

interface Watched {
  readonly node: number;
  readonly client: TestClient;
  /** Where it has joined. */
  readonly from: { readonly epoch: string; readonly seq: number };
  /** Number of each event, as they came. */
  readonly seen: { readonly i: number }[];
}

const ROOM = 'note:1';
const NODES = [0, 1, 2];
/** Least pause between two events, ms. */
const SAID_EVERY_MS = 5;
/** No more events are said in the second within which a user is put out, however slow the machine is. */
const MOST_SAID = 1_000 / SAID_EVERY_MS;

describe('three nodes of which one is cut off from Redis', () => {
  let redis: RedisServer;
  const proxies: TcpProxy[] = [];
  const apps: INestApplication[] = [];
  const seed = newSeed();
  const random = new Random(seed);
  let said = 0;
  /** Numbers whose event was refused or may be missing: their node was cut off meanwhile. */
  const unsaid = new Set<number>();
  let speaking = true;
  let speech: Promise<void>;
  let users = 0;

  beforeAll(async () => {
    redis = await RedisServer.start();
    for (const _ of NODES) {
      const proxy = await TcpProxy.start({ to: redis.port });
      proxies.push(proxy);
      const options = { auth: { use: TimedAdmission }, redis: proxy.url, drain: { windowMs: 0 } };
      apps.push(await startApp('fastify', options, [NotesModule]));
    }
    speech = speak();
  });
  afterAll(async () => {
    speaking = false;
    await speech;
    await Promise.all(apps.map((app) => app.close()));
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await redis?.stop();
  });

  /** Somebody speaks all the time, on a node that is not cut off now. */
  async function speak(): Promise<void> {
    while (speaking) {
      const node = NODES.find((index) => proxies[index]!.mode === 'pass')!;
      const i = ++said;
      await apps[node]!.get(Rooms)
        .to(ROOM)
        .append('by node', 'note.said', { i })
        .catch(() => void unsaid.add(i));
      await delay(SAID_EVERY_MS);
    }
  }

  async function watch(node: number, user: string): Promise<Watched> {
    const client = await TestClient.connect(await socketUrl(apps[node]!), { user, session: true });
    const seen: Watched['seen'] = [];
    client.socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as { event?: string; data: { i: number } };
      if (frame.event === 'note.said') seen.push({ i: frame.data.i });
    });
    const { epoch, seq } = await client.join<Watched['from']>(ROOM);
    return { node, client, from: { epoch, seq }, seen };
  }

  const putOut = (how: How, user: string, caller: number): Promise<unknown> =>
    how === 'revoke'
      ? apps[caller]!.get(Users).revoke(user, { by: 'tests' })
      : apps[caller]!.get(Rooms).to(ROOM).remove(user);

  /** Resolves when the client has been told that it is out. */
  async function isTold(how: How, { client }: Watched): Promise<void> {
    if (how === 'revoke') expect(await client.closed).toMatchObject({ code: 4501 });
    else await client.event('$removed', 20_000);
  }

  /** Its session brings nothing back, whichever node it comes to. */
  async function comesBack(how: How, { client, from, seen }: Watched): Promise<void> {
    const last = seen.at(-1)?.i;
    const url = await socketUrl(apps[random.pick(NODES)]!);
    if (how === 'revoke') await expect(client.reconnect(url)).rejects.toMatchObject({ status: 401 });
    else {
      await client.reconnect(url);
      expect(client.hello).toMatchObject({ resumed: true });
      // Its membership has ended; who knows that may join anew, where no guard forbids it.
      const position = client.hello.rooms.length > 0 ? random.pick([from, {}]) : from;
      const { error } = await client.request('$join', position, { room: ROOM });
      expect({ seed, error }).toMatchObject({ seed, error: { code: 'forbidden' } });
      await client.request('$ping');
    }
    expect(seen.at(-1)?.i).toBe(last);
    await client.terminate();
  }

  const isServing = (node: number): void =>
    expect(apps[node]!.get(Readiness, { strict: false }).problems()).toEqual([]);
  const allServe = (): Promise<void> => eventually(() => NODES.forEach(isServing), { withinMs: 30_000 });

  async function round(how: How, mode: ProxyMode, cutMs: number): Promise<void> {
    const user = `${how}d ${++users}`;
    // Where all links pass, none is cut off.
    const cut = mode === 'pass' ? -1 : random.pick(NODES);
    const gone = await Promise.all(NODES.map((node) => watch(node, user)));
    const witnesses = await Promise.all(NODES.map((node) => watch(node, `witness ${users}.${node}`)));
    await eventually(() => gone.forEach(({ seen }) => expect(seen.length).toBeGreaterThan(2)));
    const away = await watch(random.pick(NODES), user);
    const isAwayFirst = random.below(2) === 0;
    if (isAwayFirst) await away.client.terminate();
    await proxies[cut]?.setMode(mode);
    if (!isAwayFirst) await away.client.terminate();
    const caller = random.pick(NODES.filter((node) => node !== cut));
    const calledAt = performance.now();
    const saidAtCall = said;
    const done = putOut(how, user, caller);
    const lastBefore = said;
    await done;
    const lastMeanwhile = said;
    for (const one of gone) {
      if (one.node === cut) continue;
      await isTold(how, one);
      expect(one.seen.at(-1)!.i - saidAtCall).toBeLessThan(MOST_SAID);
    }
    await delay(Math.max(0, calledAt + cutMs - performance.now()));
    await proxies[cut]?.setMode('pass');
    const late = gone[cut];
    if (late) {
      await isTold(how, late);
      // It was cut off before the call: all that it had seen was said before. A link that lived on brings what came first.
      const last = mode === 'cut' ? lastBefore : lastMeanwhile;
      expect(late.seen.at(-1)!.i).toBeLessThanOrEqual(last);
    }
    const top = said;
    for (const { seen } of witnesses)
      await eventually(() => expect(seen.at(-1)!.i).toBeGreaterThan(top), { withinMs: 20_000 });
    for (const { client, seen } of witnesses) {
      const numbers = seen.map(({ i }) => i);
      const wanted = Array.from({ length: numbers.at(-1)! - numbers[0]! + 1 }, (_, i) => numbers[0]! + i);
      expect(numbers.filter((i) => !unsaid.has(i))).toEqual(wanted.filter((i) => !unsaid.has(i)));
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      await client.close();
    }
    await allServe();
    for (const one of [...gone, away]) await comesBack(how, one);
  }

  it.each(['revoke', 'remove'] as const)(
    'R39: sends nothing more once it is back after a %s, and the others nothing after a second',
    async (how) => {
      await round(how, 'cut', 5_000);
    },
  );

  it('R39: whatever its links do, and for however long', async () => {
    const modes: ProxyMode[] = ['cut', 'mute', 'dropReplies', 'cut', 'cut', 'cut'];
    for (const mode of modes)
      await round(random.pick(['revoke', 'remove']), mode, random.pick([50, 300, 1_000]));
  });

  it('R39: whatever its links take', async () => {
    for (let i = 0; i < 3; i++) {
      for (const proxy of proxies) proxy.latencyMs = random.pick([0, 5, 50, 100]);
      await round(random.pick(['revoke', 'remove']), 'pass', 0);
    }
    for (const proxy of proxies) proxy.latencyMs = 0;
  });
});
