import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { WssClient } from '@wss/client';
import { eventually, GatewayCluster, SentinelServers, TestClient } from '@wss/testing';
import { WebSocket } from 'ws';
import { expectPresenceToSurvive } from './attendance.js';
import { type Load, load } from './load.js';

let servers: SentinelServers;
let cluster: GatewayCluster;
let work: Load | undefined;
beforeAll(async () => {
  servers = await SentinelServers.start({ password: 'a/secret@' });
  cluster = await GatewayCluster.start({ nodes: 2, servers, env: { DURABLE_REPLICAS: '1' } });
});
afterEach(() => work?.close());
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

it('carries events and state across nodes', async () => {
  const room = `chat:${randomUUID()}`;
  const clients = await Promise.all(cluster.nodes.map(({ url }) => TestClient.connect(url)));
  for (const client of clients) await client.join(room);
  await clients[0]!.command('chat.send', { text: 'hello' }, { room });
  for (const client of clients) expect(await client.event('chat.sent')).toMatchObject({ seq: 1, room });
  await clients[0]!.send({ event: 'chat.typing', data: {}, room });
  expect(await clients[1]!.event('chat.typing')).toMatchObject({ room });
  for (const client of clients) await client.close();
});

it('declares what a master took that lives on after a replica was promoted, and goes on', async () => {
  work = await load({ open, nodes: 2, room: `counter:${randomUUID()}` });
  await work.progress(200);
  await servers.failover();
  await work.progress(work.answered + 200);
  await work.finish();
  await allReady();
});

it('tells clients when the master dies, and goes on with its successor; what was lost is resubmitted', async () => {
  work = await load({ open, nodes: 2, room: `counter:${randomUUID()}` });
  const watcher = await TestClient.connect(cluster.nodes[1]!.url);
  await work.progress(200);
  await servers.inStep();
  const former = await servers.master();
  await former.kill();
  expect((await watcher.event('$notice', 20_000)).data).toEqual({ degraded: true });
  const promoted = await servers.promoted(former);
  expect((await watcher.event('$notice', 20_000)).data).toEqual({ degraded: false });
  await work.progress(work.answered + 200);
  await work.finish();
  await eventually(
    async () => {
      const clients = String(await promoted.cli('CLIENT', 'LIST'));
      for (const link of ['commands', 'reads', 'subscriber', 'fence']) {
        expect(clients.match(new RegExp(`name=wss-${link} `, 'g'))).toHaveLength(2);
      }
    },
    { withinMs: 20_000 },
  );
  await former.restart();
  await allReady();
  await watcher.close();
});

it('R21: nobody is taken for gone because the master was replaced', async () => {
  await expectPresenceToSurvive(cluster, async () => {
    await servers.inStep();
    const former = await servers.master();
    await former.kill();
    await servers.promoted(former);
    await former.restart();
    await allReady();
  });
});
