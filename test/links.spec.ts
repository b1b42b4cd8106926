import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { setTimeout as lasts } from 'node:timers/promises';
import { WssClient } from '@wss/client';
import { eventually, GatewayCluster, type ServerFrame, TestClient } from '@wss/testing';
import { WebSocket } from 'ws';

/** How long faults last, ms; `CHAOS=long` for their full length. */
const [CUT_MS, MUTE_MS] = process.env['CHAOS'] === 'long' ? [5_000, 60_000] : [1_500, 8_000];
const EVENTS = 1_000;

let cluster: GatewayCluster;
let room: string;
beforeAll(async () => {
  cluster = await GatewayCluster.start({ nodes: 3, proxied: true });
});
afterAll(() => cluster?.stop());
beforeEach(() => void (room = `counter:${randomUUID()}`));

const problems = async (node: number): Promise<string> => {
  const response = await fetch(new URL('health/ready', cluster.nodes[node]!.httpUrl));
  return response.ok ? '' : await response.text();
};
const becomesReady = (node: number): Promise<void> =>
  eventually(async () => expect(await problems(node)).toBe(''), { withinMs: 30_000 });

/** Members of the room, one per node. */
const members = (): Promise<TestClient[]> =>
  Promise.all(
    cluster.nodes.map(async ({ url }) => {
      const client = await TestClient.connect(url);
      await client.join(room);
      return client;
    }),
  );

/** Sends numbered commands until told to end, at least {@link EVENTS} of them; each until it is answered. */
function sending(client: TestClient): { end(): Promise<number> } {
  let ends = false;
  const sent = (async () => {
    let n = 1;
    while (n <= EVENTS || !ends) {
      const reply = await client.request('counter.add', { by: 1 }, { room, n, ack: n - 1 });
      if (!reply.error) n++;
      else if (!reply.error.retry) throw new Error(reply.error.code);
      // The faults are longer than so many commands take: the events go on through all of them.
      if (n > EVENTS / 4 && !ends) await lasts(20);
    }
    return n - 1;
  })();
  sent.catch(() => undefined);
  return {
    end: () => {
      ends = true;
      return sent;
    },
  };
}

/** Expects every event of the room once and in order, but for those that a `$reset` declares. */
function expectWhole(frames: readonly ServerFrame[], last: number): void {
  let at = 0;
  for (const { event, seq, data } of frames) {
    if (event === '$reset') at = (data as { seq: number }).seq;
    if (event === 'counter.added') expect(seq).toBe(++at);
  }
  expect(at).toBe(last);
}

it('members miss and repeat nothing while the link of their node is cut, then mute', async () => {
  const [near, , far] = await members();
  const writer = await TestClient.connect(cluster.nodes[0]!.url, { user: 'ann', protocols: ['wss.v1'] });
  await writer.join(room);
  const work = sending(writer);
  const proxy = cluster.proxies[2]!;
  await proxy.setMode('cut');
  await lasts(CUT_MS);
  await proxy.setMode('mute');
  await lasts(MUTE_MS);
  expect(await problems(2)).not.toBe('');
  await proxy.setMode('pass');
  await becomesReady(2);
  const last = await work.end();
  for (const client of [near!, far!]) {
    await eventually(() => expectWhole(client.frames, last), { withinMs: 30_000 });
  }
  for (const degraded of [true, false]) {
    expect((await far!.event('$notice', 20_000)).data).toEqual({ degraded });
  }
  expect(await far!.command('counter.read', {}, { room })).toMatchObject({ value: last });
}, 180_000);

it('a deaf link is replaced without help, and its node is not ready until the new one has proven itself', async () => {
  const [writer, deaf] = await members();
  await writer!.command('counter.add', { by: 1 }, { room });
  await deaf!.event('counter.added');
  cluster.proxies[1]!.deafenNow();
  await writer!.command('counter.add', { by: 1 }, { room });
  await eventually(async () => expect(await problems(1)).not.toBe(''), { withinMs: 20_000 });
  expect((await deaf!.event('$notice', 20_000)).data).toEqual({ degraded: true });
  await becomesReady(1);
  expect((await deaf!.event('counter.added', 20_000)).seq).toBe(2);
  expect(await deaf!.command('counter.add', { by: 1 }, { room })).toEqual({ value: 3 });
  expect(JSON.stringify(deaf!.frames)).not.toContain('$reset');
});

it('who missed who left while its link was deaf finds it out though nothing else happens', async () => {
  const chat = `chat:${randomUUID()}` as const;
  const leaver = await TestClient.connect(cluster.nodes[0]!.url, { user: 'ann' });
  await leaver.join(chat);
  const watcher = new WssClient(`${cluster.nodes[1]!.url}?user=bob`, { WebSocket });
  const { members } = watcher.room(chat);
  const users = (): string[] => members.list.map(({ user }) => user).sort();
  members.subscribe(() => undefined);
  await watcher.room(chat).join();
  const beside = await TestClient.connect(cluster.nodes[1]!.url, { user: 'bob' });
  await beside.join(chat);
  await eventually(() => expect(users()).toEqual(['ann', 'bob']));
  cluster.proxies[1]!.deafenNow();
  await leaver.command('$leave', {}, { room: chat });
  await eventually(async () => expect(await problems(1)).not.toBe(''), { withinMs: 20_000 });
  await becomesReady(1);
  await eventually(() => expect(users()).toEqual(['bob']), { withinMs: 10_000 });
  expect(beside.presence.flatMap(({ data }) => data!.left)).toEqual([]);
  await watcher.close();
});
