import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { eventually, GatewayCluster, TestClient } from '@wss/testing';

let cluster: GatewayCluster;
beforeAll(async () => {
  cluster = await GatewayCluster.start({ nodes: 2, proxied: true });
});
afterAll(() => cluster?.stop());

const isReady = (node: number, ready: boolean): Promise<void> =>
  eventually(async () => expect(await cluster.nodes[node]!.readiness()).toBe(ready ? 200 : 503), {
    withinMs: 30_000,
  });

/** Sends numbered commands until each is answered, as a client does that follows the protocol. */
async function sendAll(client: TestClient, room: string, count: number): Promise<void> {
  for (let n = 1; n <= count;) {
    const reply = await client.request('counter.add', { by: 1 }, { room, n, ack: n - 1 });
    if (!reply.error) n++;
    else if (!reply.error.retry) throw new Error(reply.error.code);
  }
}

async function numbered(url: string): Promise<TestClient> {
  const client = await TestClient.connect(url, { user: 'ann', protocols: ['wss.v1'] });
  await client.event('$hello');
  return client;
}

it.each([
  ['cut', 'cut'],
  ['mute', 'mute'],
  ['deaf in what it hears', 'dropReplies'],
] as const)(
  'a node whose links are %s says so, keeps its clients and misses nothing',
  async (_what, mode) => {
    const room = `counter:${randomUUID()}`;
    const [writer, reader] = [
      await numbered(cluster.nodes[0]!.url),
      await TestClient.connect(cluster.nodes[1]!.url),
    ];
    for (const client of [writer, reader]) await client.join(room);
    const total = 1_000;
    const sending = sendAll(writer, room, total);
    await cluster.proxies[1]!.setMode(mode);
    expect((await reader.event('$notice', 20_000)).data).toEqual({ degraded: true });
    await isReady(1, false);
    const failed = await reader.request('counter.read', {}, { room });
    expect(failed.error).toMatchObject({ code: 'unavailable', retry: true });
    const refused = await reader.request('counter.add', { by: 1 }, { room });
    expect(['unavailable', 'unknown_outcome']).toContain(refused.error?.code);
    expect((await reader.request('$join', {}, { room: `chat:${randomUUID()}` })).error?.code).toBe(
      'unavailable',
    );
    expect(await reader.command('echo.say', { text: 'on' })).toEqual({ text: 'on' });
    await sending;
    await cluster.proxies[1]!.setMode('pass');
    await isReady(1, true);
    expect((await reader.event('$notice', 20_000)).data).toEqual({ degraded: false });
    await eventually(() => expect(seqsOf(reader)).toContain(total), { withinMs: 30_000 });
    expect(seqsOf(reader)).toEqual(Array.from({ length: total }, (_, i) => i + 1));
    expect(JSON.stringify(reader.frames)).not.toContain('$reset');
    for (const client of [writer, reader]) await client.close();
  },
);

function seqsOf(client: TestClient): unknown[] {
  return client.frames.filter(({ event }) => event === 'counter.added').map(({ seq }) => seq);
}

it('an outage with a hundred connection attempts is told in a few lines, without a stack', async () => {
  const node = cluster.nodes[1]!;
  const from = node.output.length;
  await cluster.proxies[1]!.setMode('cut');
  await isReady(1, false);
  const attempts = Array.from({ length: 100 }, () =>
    TestClient.connect(node.url, { user: 'ann', protocols: ['wss.v1'] }),
  );
  for (const { status } of await Promise.allSettled(attempts)) expect(status).toBe('rejected');
  await node.waitForLine(/upgrades are answered 503/);
  const lines = node.output.slice(from);
  expect(lines.filter((line) => line.includes('upgrades are answered 503'))).toHaveLength(1);
  expect(lines.filter((line) => /^\s+at /.test(line))).toEqual([]);
  expect(lines.join('\n').length).toBeLessThan(5_000);
  await cluster.proxies[1]!.setMode('pass');
  await isReady(1, true);
});
