import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, Logger, Module } from '@nestjs/common';
import { type ExpiredSession, OnSession, type ResumedSession, RoomType } from '@wss/core';
import { eventually, FeatureCluster, type TestClient } from '@wss/testing';

interface Told {
  readonly change: 'resumed' | 'expired';
  readonly session: ResumedSession | ExpiredSession;
}

/** Calls of the hooks of all nodes in this process. */
let told: Told[] = [];
let fails = false;

@Injectable()
class Watcher {
  @OnSession('resumed')
  async onResumed(session: ResumedSession): Promise<void> {
    await Promise.resolve();
    told.push({ change: 'resumed', session });
    if (fails) throw new Error('a hook failed');
  }

  @OnSession('expired')
  onExpired(session: ExpiredSession): void {
    told.push({ change: 'expired', session });
    if (fails) throw new Error('a hook failed');
  }
}

@Injectable()
@RoomType('note', {})
class Second {
  @OnSession('expired')
  alsoExpired(session: ExpiredSession): void {
    told.push({ change: 'expired', session });
  }
}

@Module({ providers: [Watcher, Second] })
class WatchingModule {}

const TTL_MS = 2_500;

describe.each(['memory', 'redis'] as const)('features on %s', (engine) => {
  let cluster: FeatureCluster;
  beforeAll(async () => {
    const options = { session: { ttlMs: TTL_MS } };
    cluster = await FeatureCluster.start({ features: [WatchingModule], nodes: 3, engine, options });
  });
  afterAll(() => cluster?.stop());
  beforeEach(() => void (told = []));
  afterEach(() => {
    fails = false;
    Logger.overrideLogger(['error', 'fatal']);
  });

  interface Hello {
    readonly session: string;
    readonly token: string;
    readonly resumed: boolean;
    readonly client: string;
  }
  async function open(node: number, token?: string): Promise<{ client: TestClient; hello: Hello }> {
    const protocols = ['wss.v1', ...(token === undefined ? [] : [`wss.resume.${token}`])];
    const client = await cluster.connect('ann', { node, protocols });
    return { client, hello: (await client.event('$hello')).data as Hello };
  }
  const toldOf = (change: Told['change'], id: string): unknown[] =>
    told.flatMap(({ change: what, session }) => (what === change && session.id === id ? [session] : []));
  const patient = { withinMs: 20_000 };

  it('learn of a session that goes on, with its rooms and its new connection, and of no new one', async () => {
    const { client, hello } = await open(0);
    await client.join('note:1');
    await client.terminate();
    const resumed = await open(1, hello.token);
    expect(resumed.hello.resumed).toBe(true);
    await eventually(() => expect(toldOf('resumed', hello.session)).toHaveLength(1));
    expect(toldOf('resumed', hello.session)).toEqual([
      { id: hello.session, user: 'ann', rooms: ['note:1'], client: expect.anything() },
    ]);
    const [{ client: connection }] = toldOf('resumed', hello.session) as [ResumedSession];
    expect(connection).toMatchObject({ id: resumed.hello.client, user: 'ann' });
    const other = await open(2);
    await other.client.drain();
    expect(toldOf('resumed', other.hello.session)).toEqual([]);
    for (const each of [resumed.client, other.client]) await each.close();
  });

  it('learn of the end of sessions, each by one node, once per method, and never of one that is connected', async () => {
    const gone = await Promise.all([0, 1, 2, 0, 1, 2].map((node) => open(node)));
    const stays = await open(0);
    const goesOn = await open(1);
    for (const { client } of gone) await client.terminate();
    await goesOn.client.terminate();
    const resumed = await open(2, goesOn.hello.token);
    await eventually(() => {
      for (const { hello } of gone) expect(toldOf('expired', hello.session)).toHaveLength(2);
    }, patient);
    for (const { hello } of gone) {
      const session = { id: hello.session, user: 'ann' };
      expect(toldOf('expired', hello.session)).toEqual([session, session]);
      expect((await open(0, hello.token)).hello.resumed).toBe(false);
    }
    for (const { client, hello } of [stays, resumed]) {
      expect(toldOf('expired', hello.session)).toEqual([]);
      await client.terminate();
    }
    for (const { hello } of [stays, resumed]) {
      await eventually(() => expect(toldOf('expired', hello.session)).toHaveLength(2), patient);
    }
    for (const { hello } of gone) expect(toldOf('expired', hello.session)).toHaveLength(2);
  });

  it('harm nobody when they fail', async () => {
    const lines: string[] = [];
    Logger.overrideLogger({
      log: () => {},
      warn: () => {},
      error: (line: unknown) => lines.push(String(line)),
    });
    fails = true;
    const { client, hello } = await open(0);
    await client.terminate();
    const resumed = await open(0, hello.token);
    await eventually(() =>
      expect(lines.join('\n')).toMatch(/Watcher\.onResumed failed: Error: a hook failed/),
    );
    expect(await resumed.client.command('$ping')).toEqual({});
    await resumed.client.terminate();
    await eventually(() => expect(toldOf('expired', hello.session)).toHaveLength(2), patient);
    await eventually(() =>
      expect(lines.join('\n')).toMatch(/Watcher\.onExpired failed: Error: a hook failed/),
    );
  });
});
