import { expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { GatewayCluster, TestClient } from '@wss/testing';

it('two environments on one Redis never hear each other', async () => {
  const cluster = await GatewayCluster.start({ nodes: 0 });
  try {
    for (const name of ['green', 'blue', 'green', 'blue']) await cluster.addNode({ WSS_NAMESPACE: name });
    const room = `chat:${randomUUID()}`;
    const counter = `counter:${randomUUID()}`;
    const clients = await Promise.all(
      cluster.nodes.map(({ url }) => TestClient.connect(url, { user: 'ann', protocols: ['wss.v1'] })),
    );
    const hellos = await Promise.all(clients.map((client) => client.event('$hello')));
    for (const client of clients) for (const name of [room, counter]) await client.join(name);
    const [green, blue, otherGreen, otherBlue] = clients as [TestClient, TestClient, TestClient, TestClient];

    for (const [client, text] of [
      [green, 'green'],
      [blue, 'blue'],
    ] as const) {
      expect(await client.command('chat.send', { text }, { room, n: 1 })).toEqual({ seq: 1 });
      client.send({ event: 'chat.typing', data: {}, room });
      expect(await client.command('counter.add', { by: 1 }, { room: counter, n: 1 })).toEqual({ value: 1 });
      expect(await client.command('chat.send', { text: `end of ${text}` }, { room, n: 2 })).toEqual({
        seq: 2,
      });
    }
    for (const [client, text] of [
      [otherGreen, 'green'],
      [otherBlue, 'blue'],
    ] as const) {
      const before = await client.until(
        ({ data }) => (data as { text?: string } | undefined)?.text === `end of ${text}`,
      );
      expect(before.filter(({ event }) => event === 'chat.sent').map(({ data }) => data)).toMatchObject([
        { text },
      ]);
      expect(before.filter(({ event }) => event === 'chat.typing')).toHaveLength(1);
      expect(before.filter(({ event }) => event === 'counter.added')).toHaveLength(1);
    }

    const { token } = hellos[0]!.data as { token: string };
    const stranger = await TestClient.connect(cluster.nodes[1]!.url, {
      user: 'ann',
      protocols: ['wss.v1', `wss.resume.${token}`],
    });
    expect((await stranger.event('$hello')).data).toMatchObject({ resumed: false, rooms: [] });
    expect(await green.drain()).not.toContainEqual(expect.objectContaining({ event: '$notice' }));
    expect(green.socket.readyState).toBe(green.socket.OPEN);
    const keys = (await cluster.redis.cli('KEYS', '*')) as string[];
    for (const key of keys) expect(key).toMatch(/^(green|blue):/);
    expect(keys.filter((key) => key.startsWith('green:')).length).toBeGreaterThan(0);
  } finally {
    await cluster.stop();
  }
});
