import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { GatewayNode, RedisServer, type ServerFrame, TcpProxy, TestClient } from '@wss/testing';

/** Bandwidth of the node's link, bytes a second. */
const RATE = 8_000_000;
const EVENTS = 1_000;
const TEXT = 'x'.repeat(2_000);

let redis: RedisServer;
let proxy: TcpProxy;
let writer: GatewayNode;
let node: GatewayNode;

beforeAll(async () => {
  redis = await RedisServer.start();
  proxy = await TcpProxy.start({ to: redis.port });
  writer = await GatewayNode.start({ redis: redis.url });
  node = await GatewayNode.start({ redis: proxy.url });
  proxy.replyRate = RATE;
});
afterAll(async () => {
  await Promise.all([node?.stop(), writer?.stop()]);
  await proxy?.stop();
  await redis?.stop();
});

async function filled(): Promise<{ room: string; epoch: string }> {
  const room = `chat:${randomUUID()}`;
  const client = await TestClient.connect(writer.url);
  const { epoch } = await client.join<{ epoch: string }>(room);
  for (let sent = 0; sent < EVENTS; sent += 50) {
    const part = Array.from({ length: 50 }, () => client.command('chat.send', { text: TEXT }, { room }));
    await Promise.all(part);
  }
  await client.close();
  return { room, epoch };
}

const next = (client: TestClient): Promise<ServerFrame> =>
  client.next(({ event }) => event === 'chat.sent', 60_000);

it('R18: clients join big rooms over a slow link, and nobody else waits for them', async () => {
  const rooms = await Promise.all(Array.from({ length: 5 }, filled));
  const quiet = `counter:${randomUUID()}`;
  const member = await TestClient.connect(node.url);
  await member.join(quiet);
  let joining = true;
  const commands = (async () => {
    let count = 0;
    for (; joining; count++) await member.command('counter.add', { by: 1 }, { room: quiet });
    return count;
  })();
  const caughtUp = rooms.flatMap(({ room, epoch }) =>
    [{ last: 10 }, { epoch, seq: EVENTS - 20 }, { epoch, seq: 0 }].map(async (position) => {
      const client = await TestClient.connect(node.url);
      const { missed, recovered } = await client.join<{ missed: number; recovered: boolean }>(room, position);
      expect(recovered).toBe(true);
      const { seq: from = EVENTS - 10 } = position as { seq?: number };
      expect(missed).toBe(EVENTS - from);
      for (let seq = EVENTS - missed + 1; seq <= EVENTS; seq++)
        expect(await next(client)).toMatchObject({ seq });
      await client.close();
    }),
  );
  await Promise.all(caughtUp);
  expect((await fetch(new URL('/health/ready', node.url.replace('ws:', 'http:')))).status).toBe(200);
  joining = false;
  expect(await commands).toBeGreaterThan(0);
  await member.close();
});
