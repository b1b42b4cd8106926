import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { eventually, GatewayCluster, TestClient } from '@wss/testing';

const HOUR_MS = 3_600_000;
const OFFSETS_MS = [0, HOUR_MS, -HOUR_MS];
/** How long sessions last without a resume: less than the clocks are off, ms. */
const SESSION_TTL_MS = 60_000;

let cluster: GatewayCluster;
beforeAll(async () => {
  cluster = await GatewayCluster.start({ nodes: 1, env: { SESSION_TTL_MS: String(SESSION_TTL_MS) } });
  const preload = fileURLToPath(new URL('./child/clock.mjs', import.meta.url));
  const NODE_OPTIONS = `--import=${preload}`;
  for (const offsetMs of OFFSETS_MS.slice(1)) {
    await cluster.addNode({ NODE_OPTIONS, CLOCK_OFFSET_MS: String(offsetMs) });
  }
  await cluster.addNode({ NODE_OPTIONS, CLOCK_OFFSET_MS: String(HOUR_MS), CLOCK_SET_EVERY_MS: '200' });
});
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

it('R30: nodes whose clocks are an hour off serve like others', async () => {
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
    expect(minutes).toEqual([0, 0, 60, 60, -60, -60]);
  }
  for (const node of cluster.nodes) {
    await eventually(async () => expect(await node.readiness()).toBe(200));
  }
});

it('R30: a session goes on from any clock to any other, and its commands take effect once', async () => {
  const room = `counter:${randomUUID()}`;
  let { client, hello } = await open(0);
  await client.join(room);
  for (const [i, node] of [1, 2, 1, 3, 0, 2, 3, 0].entries()) {
    await client.command('counter.add', { by: 1 }, { room, n: i + 1, ack: i });
    await client.terminate();
    ({ client, hello } = await open(node, hello.token));
    expect(hello).toMatchObject({ resumed: true, rooms: [room] });
    const again = await client.request('counter.add', { by: 1 }, { room, n: i + 1, ack: i });
    expect(again).toMatchObject({ data: { value: i + 1 }, dup: true });
    expect(await client.join(room)).toMatchObject({ seq: i + 1 });
  }
});

it('R30: Redis keeps a session as long as it should, whichever clock opens or resumes it', async () => {
  for (const from of [0, 1, 2, 3]) {
    let { client, hello } = await open(from);
    for (const node of [from, (from + 2) % 4]) {
      const [id] = JSON.parse(Buffer.from(hello.token.split('.')[0]!, 'base64url').toString()) as [string];
      const record = `wss:s:{${id}}`;
      const grace = HOUR_MS;
      const left = Number(await cluster.redis.cli('PTTL', record)) - grace;
      expect(left).toBeGreaterThan(SESSION_TTL_MS * 0.75);
      expect(left).toBeLessThanOrEqual(SESSION_TTL_MS);
      await client.terminate();
      ({ client, hello } = await open(node, hello.token));
      expect(hello.resumed).toBe(true);
    }
    await client.close();
  }
});

it('R30: who is in a room is the same on nodes with any clock', async () => {
  const room = `chat:${randomUUID()}`;
  const users = ['ann', 'bob', 'cid', 'dan'];
  const clients = await Promise.all(
    users.map((user, node) => TestClient.connect(cluster.nodes[node]!.url, { user })),
  );
  for (const client of clients) await client.join(room);
  for (const client of clients) {
    await eventually(async () => {
      const here = (await client.command('$presence', {}, { room })) as { users: { user: string }[] };
      expect(here.users.map(({ user }) => user)).toEqual(users);
    });
  }
  const [ann, ...others] = clients;
  for (const client of others) await client.terminate();
  await eventually(
    () => {
      const left = ann!.presence.flatMap(({ data }) => data!.left);
      expect(left.sort()).toEqual(['bob', 'cid', 'dan']);
    },
    { withinMs: 20_000 },
  );
});
