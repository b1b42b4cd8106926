import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ClusterLinks, parseRedisTarget, RedisKeys, RedisLinks, slotOf } from '@wss/redis';
import { ClusterProxies, eventually, RedisClusterServers, RedisServer, TcpProxy } from '@wss/testing';
import { NO_STANDINGS } from '../no-standings.js';
import {
  ClientRouting,
  RedisChannels,
  RedisSessionStore,
  type Session,
  RedisStandingStore,
  SessionKeeper,
  ShardedChannels,
} from '../../src/index.js';
import { type ChannelsUnderTest, wantedChannelsContract } from './wanted-channels.contract.js';

const [ONE, MANY] = process.env['CHAOS'] === 'long' ? [10_000, 2_000] : [200, 40];
/** Commands fail soon, so that a mute link does not take long. */
const COMMAND_MS = 60;

wantedChannelsContract('Redis', onRedis, { sequences: ONE });
wantedChannelsContract('Redis Cluster', onCluster, { sequences: MANY });

const disallow = (server: RedisServer): Promise<unknown> =>
  server.cli('ACL', 'SETUSER', 'default', 'resetchannels');
const allow = (server: RedisServer): Promise<unknown> => server.cli('ACL', 'SETUSER', 'default', '&*');
/** Ends the connections that have subscriptions. */
const kill = (server: RedisServer): Promise<unknown> => server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');

/** Faults on the way to the servers. */
const proxyFaults = (proxy: TcpProxy | ClusterProxies): (() => Promise<void>)[] => [
  () => proxy.setMode('cut'),
  () => proxy.setMode('mute'),
  () => proxy.setMode('dropReplies'),
  () => proxy.setMode('pass'),
];

async function onRedis(): Promise<ChannelsUnderTest> {
  const server = await RedisServer.start();
  const proxy = await TcpProxy.start({ to: server.port });
  const links = await RedisLinks.connect({
    target: parseRedisTarget(proxy.url),
    commandTimeoutMs: COMMAND_MS,
  });
  const heal = async (): Promise<void> => {
    proxy.latencyMs = 0;
    await proxy.setMode('pass');
    await allow(server);
  };
  return {
    channels: new RedisChannels(links),
    subscribed: async () => (await server.cli('PUBSUB', 'CHANNELS')) as string[],
    publish: async (channel, message) => void (await server.cli('PUBLISH', channel, message)),
    faults: [
      async () => void (await kill(server)),
      async () => void (await disallow(server)),
      async () => void (await allow(server)),
      async (random) => void (proxy.latencyMs = random.below(40)),
      async () => proxy.cutNow(),
      ...proxyFaults(proxy),
    ],
    heal,
    async stop() {
      await heal();
      await ready(links);
      await links.close();
      await proxy.stop();
      await server.stop();
    },
  };
}

async function onCluster(): Promise<ChannelsUnderTest> {
  const cluster = await RedisClusterServers.start();
  const { servers } = cluster;
  const proxies = await ClusterProxies.start(cluster);
  const { translate } = proxies;
  const target = parseRedisTarget(proxies.url);
  const links = await ClusterLinks.connect({ target, translate, commandTimeoutMs: COMMAND_MS });
  const heal = async (): Promise<void> => {
    await proxies.setMode('pass');
    for (const server of servers) await allow(server);
  };
  const masterOf = async (channel: string): Promise<RedisServer> => cluster.masterOf(slotOf(channel));
  return {
    channels: new ShardedChannels(links),
    subscribed: async () => {
      const lists = await Promise.all(servers.map((server) => server.cli('PUBSUB', 'SHARDCHANNELS')));
      return lists.flat() as string[];
    },
    publish: async (channel, message) =>
      void (await (await masterOf(channel)).cli('SPUBLISH', channel, message)),
    faults: [
      async (random) => void (await kill(random.pick(servers))),
      async (random) => void (await disallow(random.pick(servers))),
      async (random) => {
        const slot = slotOf(`wanted:{${random.below(6)}}`);
        await cluster.moveSlot(slot, await cluster.otherThan(slot));
      },
      ...proxyFaults(proxies),
    ],
    heal,
    async stop() {
      await heal();
      await ready(links);
      await links.close();
      await proxies.stop();
      await cluster.stop();
    },
  };
}

/** A link that is closed while it is down keeps the process for 2 s. */
const ready = (links: RedisLinks | ClusterLinks): Promise<void> =>
  eventually(
    () => {
      if (links.problem()) throw new Error(links.problem());
    },
    { withinMs: 20_000 },
  );

describe('R27: what is sent to users', () => {
  let server: RedisServer;
  let store: RedisSessionStore;
  let links: RedisLinks;
  const keys = new RedisKeys('wanted');
  const delivered: string[] = [];
  const ended: string[] = [];
  const here: Session[] = [];
  let routing: ClientRouting;
  let sessions: SessionKeeper;

  beforeAll(async () => {
    server = await RedisServer.start();
    links = await RedisLinks.connect({ target: parseRedisTarget(server.url) });
    store = new RedisSessionStore(links, keys);
    sessions = await SessionKeeper.start(store);
    routing = new ClientRouting({
      nodeId: 'a',
      channels: new RedisChannels(links),
      keys,
      sessions: store,
      standings: new RedisStandingStore(links, keys),
      listener: {
        ...NO_STANDINGS,
        deliverToAll: () => undefined,
        deliverToClient: () => undefined,
        deliverToUser: (user) => void delivered.push(user),
        sessionsOf: (user) => here.filter((session) => session.user === user),
        sessionTakenOver: (id) => void ended.push(id),
      },
    });
    await routing.start();
  });
  afterAll(async () => {
    routing?.close();
    sessions?.close();
    await links?.close();
    await server?.stop();
  });

  it('reaches all of twenty who came while only the subscribing link was being made anew', async () => {
    const users = Array.from({ length: 20 }, (_, i) => `user${i}`);
    const came: Promise<void>[] = [];
    for (const user of users) {
      if (came.length % 5 === 0) await kill(server);
      came.push(routing.userCame(user));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(came);
    for (const user of users) await server.cli('PUBLISH', keys.user(user), '\nnote.sent\n{}');
    await eventually(() => expect([...delivered].sort()).toEqual([...users].sort()));
  });

  it('ends a connection whose session went on elsewhere while the link was down', async () => {
    const { session, token } = await sessions.open('user3');
    here.push(session);
    await kill(server);
    const far = await SessionKeeper.start(store);
    // The take-over reaches no node, as if its publication came while nothing was subscribed.
    expect(await far.open('user3', token)).toMatchObject({ resumed: true });
    far.close();
    await kill(server);
    await eventually(() => expect(ended).toEqual([session.id]));
  });
});
