import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { eventually, GatewayCluster, TestClient } from '@wss/testing';

const OFFSETS_MS = [0, 300_000, -300_000];

let cluster: GatewayCluster;
beforeAll(async () => {
  cluster = await GatewayCluster.start({ nodes: 1 });
  const preload = fileURLToPath(new URL('./child/clock.mjs', import.meta.url));
  for (const offsetMs of OFFSETS_MS.slice(1)) {
    await cluster.addNode({ NODE_OPTIONS: `--import=${preload}`, CLOCK_OFFSET_MS: String(offsetMs) });
  }
}, 60_000);
afterAll(() => cluster?.stop());

interface Hello {
  readonly token: string;
  readonly resumed: boolean;
  readonly rooms: string[];
}
async function open(node: number, token?: string): Promise<{ client: TestClient; hello: Hello }> {
  const protocols = ['wss.v1', ...(token === undefined ? [] : [`wss.resume.${token}`])];
  const client = await TestClient.connect(cluster.nodes[node]!.url, { user: 'ann', protocols });
  return { client, hello: (await client.event('$hello')).data as Hello };
}

it('nodes whose clocks are five minutes off serve like others', async () => {
  const room = `chat:${randomUUID()}`;
  const clients = await Promise.all(OFFSETS_MS.map((_, node) => open(node)));
  for (const { client } of clients) await client.join(room);
  for (const [i, { client }] of clients.entries()) {
    for (const n of [1, 2]) {
      expect(await client.command('chat.send', { text: 'x' }, { room, n })).toEqual({ seq: 2 * i + n });
    }
  }
  for (const { client } of clients) {
    const sent = [];
    while (sent.length < 6) sent.push(await client.event('chat.sent'));
    expect(sent.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
    const minutes = sent.map(
      ({ data }) => Math.round(((data as { at: number }).at - Date.now()) / 60_000) + 0,
    );
    expect(minutes).toEqual([0, 0, 5, 5, -5, -5]);
  }
  for (const node of cluster.nodes) {
    await eventually(async () => expect(await node.readiness()).toBe(200));
  }
});

it('a session goes on from any clock to any other, and its commands take effect once', async () => {
  const room = `counter:${randomUUID()}`;
  let { client, hello } = await open(0);
  await client.join(room);
  for (const [i, node] of [1, 2, 1, 0, 2, 0].entries()) {
    await client.command('counter.add', { by: 1 }, { room, n: i + 1, ack: i });
    await client.terminate();
    ({ client, hello } = await open(node, hello.token));
    expect(hello).toMatchObject({ resumed: true, rooms: [room] });
    const again = await client.request('counter.add', { by: 1 }, { room, n: i + 1, ack: i });
    expect(again).toMatchObject({ data: { value: i + 1 }, dup: true });
    expect(await client.join(room)).toMatchObject({ seq: i + 1 });
  }
});
