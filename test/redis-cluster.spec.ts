import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { WssClient } from '@wss/client';
import {
  eventually,
  GatewayCluster,
  GatewayNode,
  RedisClusterServers,
  RedisServer,
  TestClient,
} from '@wss/testing';
import { WebSocket } from 'ws';
import { expectPresenceToSurvive } from './attendance.js';
import { type Load, load } from './load.js';

let servers: RedisClusterServers;
let cluster: GatewayCluster;
let work: Load | undefined;
const clients: TestClient[] = [];
beforeAll(async () => {
  servers = await RedisClusterServers.start({ replicas: 1, password: 'a/secret@' });
  cluster = await GatewayCluster.start({ nodes: 2, servers, env: { DURABLE_REPLICAS: '1' } });
});
afterEach(async () => {
  work?.close();
  for (const client of clients.splice(0)) await client.close();
});
afterAll(() => cluster?.stop());

const allReady = (): Promise<void> =>
  eventually(
    async () => {
      for (const node of cluster.nodes.slice(0, 2)) expect(await node.readiness()).toBe(200);
    },
    { withinMs: 20_000 },
  );
const open = (node: number, user: string): WssClient =>
  new WssClient(`${cluster.nodes[node]!.url}?user=${user}`, {
    WebSocket,
    backoff: { firstMs: 50, mostMs: 500 },
  });
const connect = async (node: number): Promise<TestClient> => {
  const client = await TestClient.connect(cluster.nodes[node]!.url);
  clients.push(client);
  return client;
};
const slotOfRoom = (room: string): Promise<number> => servers.slotOf(`{${room}}`);

it('carries events, volatile ones and state across nodes, for rooms on every master', async () => {
  const [a, b] = [await connect(0), await connect(1)];
  for (let i = 0; i < 6; i++) {
    const room = `chat:${randomUUID()}`;
    for (const client of [a, b]) await client.join(room);
    await a.command('chat.send', { text: 'hello' }, { room });
    for (const client of [a, b]) expect(await client.event('chat.sent')).toMatchObject({ seq: 1, room });
    await a.send({ event: 'chat.typing', data: {}, room });
    expect(await b.event('chat.typing')).toMatchObject({ room });
  }
});

it('applies commands once, sent by both nodes at a time', async () => {
  work = await load({ open, nodes: 2, room: `counter:${randomUUID()}` });
  await work.progress(400);
  await work.finish();
});

it('R14: a slot that moves under load costs its room nothing: a new epoch, no reset', async () => {
  const room = `counter:${randomUUID()}` as const;
  const slot = await slotOfRoom(room);
  const watcher = await connect(1);
  await watcher.join(room);
  work = await load({ open, nodes: 2, room });
  await work.progress(200);
  await servers.moveSlot(slot, await servers.otherThan(slot));
  await work.progress(work.answered + 200);
  const epochs = [(await watcher.event('$epoch')).data];
  await servers.moveSlot(slot, await servers.otherThan(slot));
  await work.progress(work.answered + 200);
  epochs.push((await watcher.event('$epoch')).data);
  await work.finish();
  expect(new Set(epochs.map((data) => (data as { epoch: string }).epoch)).size).toBe(2);
  expect(watcher.frames.filter(({ event }) => event === '$reset')).toEqual([]);
});

it('answers "unavailable" while a slot is between two masters, and goes on when it has moved', async () => {
  const room = `chat:${randomUUID()}`;
  const client = await connect(0);
  await client.join(room);
  await client.command('chat.send', { text: '1' }, { room });
  const slot = await slotOfRoom(room);
  const to = await servers.otherThan(slot);
  const from = await servers.beginMove(slot, to);
  await expect(client.command('chat.send', { text: '2' }, { room })).rejects.toMatchObject({
    code: 'unavailable',
  });
  await servers.finishMove(slot, to, from);
  expect(await client.command('chat.send', { text: '3' }, { room })).toEqual({ seq: 2 });
  for (const seq of [1, 2]) expect(await client.event('chat.sent')).toMatchObject({ seq, room });
});

it('goes on with the successor of a master that died, by itself; what was lost is resubmitted', async () => {
  const room = `counter:${randomUUID()}` as const;
  work = await load({ open, nodes: 2, room });
  const watcher = await connect(1);
  await work.progress(200);
  await servers.inStep();
  const former = await servers.masterOf(await slotOfRoom(room));
  await former.kill();
  expect((await watcher.event('$notice', 20_000)).data).toEqual({ degraded: true });
  await servers.promoted(former);
  expect((await watcher.event('$notice', 20_000)).data).toEqual({ degraded: false });
  await work.progress(work.answered + 200);
  await work.finish();
  await former.restart();
  await allReady();
});

it('R21: nobody is taken for gone because the master of a room was replaced', async () => {
  await expectPresenceToSurvive(cluster, async (room) => {
    const slot = await slotOfRoom(room);
    const former = await servers.masterOf(slot);
    await former.kill();
    await eventually(async () => expect(await servers.masterOf(slot)).not.toBe(former), { withinMs: 20_000 });
    await former.restart();
    await allReady();
  });
});

it('refuses to start with an address of another kind of set-up, and tells which is right', async () => {
  const [member] = servers.servers;
  await expect(GatewayNode.start({ redis: member!.url })).rejects.toThrow(
    /it belongs to a Redis Cluster; name several of its servers, as in redis:\/\/host1,host2, or one as redis\+cluster:\/\/host/,
  );
  const alone = await RedisServer.start();
  try {
    await expect(GatewayNode.start({ redis: alone.url.replace('redis:', 'redis+cluster:') })).rejects.toThrow(
      /there is no Redis Cluster at .*: name one host, or sentinels as in redis\+sentinel/,
    );
  } finally {
    await alone.stop();
  }
});
