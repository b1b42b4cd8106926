import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type INestApplication, Injectable, Module } from '@nestjs/common';
import { Admission, type Admitted, Readiness, Rooms, RoomType, Users } from '@wss/nest';
import { eventually, newSeed, type ProxyMode, Random, RedisServer, TcpProxy, TestClient } from '@wss/testing';
import { socketUrl, startApp } from './test-app.js';

/** Tokens were issued long ago, those of witnesses will be accepted after any revocation. */
@Injectable()
class TimedAdmission extends Admission {
  admit(_request: IncomingMessage, url: URL): Admitted {
    const user = url.searchParams.get('user')!;
    return { user, issuedAt: Date.now() + (user.startsWith('witness') ? 3_600_000 : -60_000) };
  }
}

@Injectable()
@RoomType('note', {})
class Notes {}

@Module({ providers: [Notes] })
class NotesModule {}

interface Watched {
  readonly node: number;
  readonly client: TestClient;
  /** Number of each event, and when it came. */
  readonly seen: { readonly i: number; readonly at: number }[];
}

const ROOM = 'note:1';
const NODES = [0, 1, 2];

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
      await delay(5);
    }
  }

  async function watch(node: number, user: string): Promise<Watched> {
    const client = await TestClient.connect(await socketUrl(apps[node]!), { user, protocols: ['wss.v1'] });
    await client.event('$hello');
    const seen: Watched['seen'] = [];
    client.socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as { event?: string; data: { i: number } };
      if (frame.event === 'note.said') seen.push({ i: frame.data.i, at: performance.now() });
    });
    await client.join(ROOM);
    return { node, client, seen };
  }

  const isServing = (node: number): void =>
    expect(apps[node]!.get(Readiness, { strict: false }).problems()).toEqual([]);
  const allServe = (): Promise<void> => eventually(() => NODES.forEach(isServing), { withinMs: 30_000 });

  async function round(mode: ProxyMode, cutMs: number): Promise<void> {
    const user = `user ${++users}`;
    // Where all links pass, none is cut off.
    const cut = mode === 'pass' ? -1 : random.pick(NODES);
    const gone = await Promise.all(NODES.map((node) => watch(node, user)));
    const witnesses = await Promise.all(NODES.map((node) => watch(node, `witness ${users}.${node}`)));
    await eventually(() => gone.forEach(({ seen }) => expect(seen.length).toBeGreaterThan(2)));
    await proxies[cut]?.setMode(mode);
    const caller = random.pick(NODES.filter((node) => node !== cut));
    const calledAt = performance.now();
    const revoked = apps[caller]!.get(Users).revoke(user, { by: 'tests' });
    const lastBefore = said;
    await revoked;
    for (const { node, client, seen } of gone) {
      if (node === cut) continue;
      expect(await client.closed).toMatchObject({ code: 4501 });
      expect((seen.at(-1)?.at ?? 0) - calledAt).toBeLessThan(1_000);
    }
    await delay(Math.max(0, calledAt + cutMs - performance.now()));
    await proxies[cut]?.setMode('pass');
    const late = gone[cut];
    if (late) {
      expect(await late.client.closed).toMatchObject({ code: 4501 });
      // It was cut off before the call: all that it had seen was said before.
      expect(late.seen.at(-1)!.i).toBeLessThanOrEqual(lastBefore);
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
  }

  it('R39: sends a revoked user nothing more once it is back, and the others nothing after a second', async () => {
    await round('cut', 5_000);
  });

  it('R39: whatever its links do, and for however long', async () => {
    const modes: ProxyMode[] = ['cut', 'mute', 'dropReplies', 'cut', 'cut', 'cut'];
    for (const mode of modes) await round(mode, random.pick([50, 300, 1_000]));
  });

  it('R39: whatever its links take', async () => {
    for (let i = 0; i < 3; i++) {
      for (const proxy of proxies) proxy.latencyMs = random.pick([0, 5, 50, 100]);
      await round('pass', 0);
    }
    for (const proxy of proxies) proxy.latencyMs = 0;
  });
});
