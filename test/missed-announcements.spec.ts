import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { WssClient } from '@wss/client';
import { RoomType } from '@wss/core';
import { RedisKeys } from '@wss/redis';
import {
  clusterOnServers,
  eventually,
  type FeatureCluster,
  newSeed,
  Random,
  RedisServer,
  type TestClient,
} from '@wss/testing';
import { WebSocket } from 'ws';

const PATIENT = { withinMs: 60_000, everyMs: 100 };
const ROUNDS = 12;
const STEPS = 8;

@Injectable()
@RoomType('club', { presence: true })
class Clubs {}

@Module({ providers: [Clubs] })
class ClubModule {}

/** Nodes, each with rights of its own on Redis. */
const NODES = ['near', 'far'] as const;
/** Things that a node may not do for a while: hear, or tell others. */
const RIGHTS = ['subscribe', 'publish'] as const;
/** One fault hides that another has no follow-up, so most rounds have one kind. */
const KINDS = [...RIGHTS.map((right) => [right]), RIGHTS];

let server: RedisServer;
const clusters: FeatureCluster[] = [];
const watchers: { raw: TestClient; sdk: WssClient; seen: () => string[] }[] = [];
const room = 'club:1';

beforeAll(async () => {
  const users = NODES.flatMap((name) => ['--user', name, 'on', '>secret', '~*', '&*', '+@all']);
  server = await RedisServer.start({ args: ['--appendonly', 'yes', '--appendfsync', 'always', ...users] });
  for (const name of NODES) {
    const url = server.url.replace('//', `//${name}:secret@`);
    const options = { presence: { graceMs: 200 } };
    const servers = { url, stop: () => Promise.resolve() };
    clusters.push(
      await clusterOnServers(servers, { features: [ClubModule], nodes: 1, nodeName: name, options }),
    );
  }
  for (const [i, cluster] of clusters.entries()) watchers.push(await watch(cluster, `watcher${i}`));
});
afterAll(async () => {
  for (const { sdk } of watchers) sdk.close();
  for (const cluster of clusters) await cluster.stop();
  await server?.stop();
});

/** One user who sees what the protocol shows, and what the SDK makes of it. */
async function watch(cluster: FeatureCluster, user: string): Promise<(typeof watchers)[number]> {
  const raw = await cluster.connect(user, { room });
  const sdk = new WssClient(`${cluster.nodes[0]!.url}?user=${user}`, { WebSocket });
  const { members } = sdk.room(room as never);
  members.subscribe(() => undefined);
  return { raw, sdk, seen: () => members.list.map((member) => member.user).sort() };
}

const setRight = async (node: string, right: string, isGiven: boolean): Promise<void> => {
  await server.cli('ACL', 'SETUSER', node, `${isGiven ? '+' : '-'}${right}`);
  // A connection keeps the channels that it has; a refused one is tried again by itself.
  if (right === 'subscribe' && !isGiven) await server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub', 'USER', node);
};

/** Waits until nothing is left to be announced, heard or not. */
const allAnnounced = (): Promise<void> => {
  const { coming, going } = new RedisKeys('wss').presence(room);
  return eventually(async () => expect(await server.cli('EXISTS', coming, going)).toBe(0), PATIENT);
};

/** Lets users come and go while nodes lose rights and Redis restarts; `present` has those who are there. */
async function disturb(random: Random, present: Map<string, TestClient>): Promise<void> {
  const rights = random.pick(KINDS);
  const steps = {
    come: async () => {
      const user = `u${random.below(6)}`;
      if (present.has(user)) return;
      const client = await random.pick(clusters).connect(user);
      present.set(user, client);
      await eventually(() => client.join(room), PATIENT);
    },
    go: async () => {
      const user = random.pick([...present.keys()]);
      const client = present.get(user)!;
      present.delete(user);
      if (random.below(2) === 0) return client.terminate();
      await client.close();
    },
    lose: () => setRight(random.pick(NODES), random.pick(rights), false),
    get: () => setRight(random.pick(NODES), random.pick(rights), true),
    restart: async () => {
      await server.kill();
      await server.restart();
    },
  };
  const odds = ['come', 'come', 'come', 'go', 'go', 'lose', 'lose', 'get'] as const;
  for (let i = 0; i < STEPS; i++) {
    const step = random.pick(odds);
    if (step !== 'go' || present.size > 0) await steps[step]();
  }
  if (random.below(4) === 0) await steps.restart();
}

it('R21: who follows announcements knows in the end who is here, whatever was lost and though nothing else happens', async () => {
  const seed = newSeed();
  process.stdout.write(`missed announcements: seed ${seed}\n`);
  const random = new Random(seed);
  const present = new Map<string, TestClient>();
  for (let round = 0; round < ROUNDS; round++) {
    await disturb(random, present);
    if (random.below(2) === 0) await allAnnounced();
    for (const node of NODES) for (const right of RIGHTS) await setRight(node, right, true);
    const users = [...present.keys(), ...watchers.map((_, i) => `watcher${i}`)].sort();
    const about = `seed ${seed}, round ${round}`;
    for (const { raw, seen } of watchers) {
      await eventually(async () => {
        expect([about, seen()]).toEqual([about, users]);
        const page = await raw.command<{ version: number }>('$presence', {}, { room });
        // The version of what was heard last tells that nothing more was announced.
        expect([about, raw.presence.at(-1)?.data?.version]).toEqual([about, page.version]);
      }, PATIENT);
    }
  }
}, 600_000);
