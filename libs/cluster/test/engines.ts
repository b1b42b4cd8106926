import { randomUUID } from 'node:crypto';
import { ClusterLinks, parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import {
  MemoryEngine,
  MemoryRoomStore,
  RedisRoomStore,
  ROOM_SCRIPTS,
  type RoomStore,
  StoreError,
} from '@wss/state';
import { ClusterProxies, eventually, type RedisClusterServers, RedisServer, TcpProxy } from '@wss/testing';
import {
  type Channels,
  JOB_SCRIPTS,
  type JobQueue,
  MemoryClusterChannels,
  MemoryJobQueue,
  MemoryNodeRegistry,
  MemorySessionStore,
  MemoryStandingStore,
  MemoryWaitingStore,
  NODE_SCRIPTS,
  type NodeRegistry,
  RedisChannels,
  RedisJobQueue,
  RedisNodeRegistry,
  RedisSessionStore,
  RedisStandingStore,
  RedisWaitingStore,
  SESSION_SCRIPTS,
  type SessionStore,
  ShardedChannels,
  STANDING_SCRIPTS,
  type StandingStore,
  WAITING_SCRIPTS,
  type WaitingStore,
} from '../src/index.js';
import type { NodeRegistryOptions } from '../src/nodes/node-registry.js';
import { ContractTable, NodeTable } from '../src/nodes/node-table.memory.js';
import { SessionTable } from '../src/sessions/session-table.memory.js';

/** One node's own way to the engine. */
export interface NodeLinks {
  readonly channels: Channels;
  readonly keys: RedisKeys;
  readonly registry: NodeRegistry;
  readonly store: RoomStore;
  readonly jobs: JobQueue;
  readonly sessions: SessionStore;
  readonly standings: StandingStore;
  readonly waiting: WaitingStore;
  setReachable(reachable: boolean): Promise<void>;
  close(): Promise<void>;
}

/** One cluster on an engine, apart from all others. */
export interface ClusterUnderTest {
  openNode(options: NodeRegistryOptions): Promise<NodeLinks>;
  /** As a program that is not a node would. */
  publish(channel: string, message: string): Promise<void>;
  /** How long a node's lease still holds by the engine's clock, ms. */
  leaseLeftMs(nodeId: string): Promise<number>;
  /** The engine's clock, ms since 1970. */
  now(): Promise<number>;
  /** The engine loses everything. */
  wipe(): Promise<void>;
  /** Removes the record of a session, with all that belongs to it. */
  removeSession(id: string): Promise<void>;
}

export interface EngineUnderTest {
  newCluster(): ClusterUnderTest;
  stop(): Promise<void>;
}

/** A clock that is an hour ahead of the nodes'. */
export const aheadClock = (): number => Math.floor(performance.timeOrigin + performance.now()) + 3_600_000;

/** An engine whose clock is an hour ahead of the nodes'. */
export function memoryEngine(Type = MemoryEngine): EngineUnderTest {
  return {
    newCluster: () => {
      const engine = new Type(aheadClock);
      return {
        openNode: (options) => Promise.resolve(memoryLinks(engine, options)),
        publish: async (channel, message) => void engine.channels.publish(channel, message),
        leaseLeftMs: async (nodeId) => engine.table(NodeTable).rows.get(nodeId)!.endsAt - engine.now(),
        now: async () => engine.now(),
        wipe: async () => {
          engine.table(NodeTable).rows.clear();
          engine.table(ContractTable).rows.clear();
          engine.rooms.clear();
        },
        removeSession: async (id) => void engine.table(SessionTable).rows.delete(id),
      };
    },
    stop: () => Promise.resolve(),
  };
}

function memoryLinks(engine: MemoryEngine, options: NodeRegistryOptions): NodeLinks {
  let reachable = true;
  const link = Object.create(engine) as MemoryEngine;
  link.call = (work) =>
    reachable ? engine.call(work) : Promise.reject(new StoreError('unavailable', 'cut off'));
  const keys = new RedisKeys('test');
  return {
    channels: new MemoryClusterChannels(link),
    keys,
    store: new MemoryRoomStore(link, (room) => keys.room(room).channel),
    registry: new MemoryNodeRegistry(link, options),
    jobs: new MemoryJobQueue(link),
    sessions: new MemorySessionStore(link),
    standings: new MemoryStandingStore(link),
    waiting: new MemoryWaitingStore(link),
    setReachable: async (value) => void (reachable = value),
    close: () => Promise.resolve(),
  };
}

/** @param serverOf the server of a key or a channel; @param servers all servers */
function onServers(
  {
    servers,
    serverOf,
    publish,
  }: {
    servers: readonly RedisServer[];
    serverOf: (key: string) => Promise<RedisServer>;
    publish: 'PUBLISH' | 'SPUBLISH';
  },
  keys: RedisKeys,
): Omit<ClusterUnderTest, 'openNode'> {
  const now = async (): Promise<number> => {
    const [seconds, micros] = (await (await serverOf(keys.nodes)).cli('TIME')) as [string, string];
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
  };
  return {
    now,
    publish: async (channel, message) =>
      void (await (await serverOf(channel)).cli(publish, channel, message)),
    leaseLeftMs: async (nodeId) => {
      const end = Number(await (await serverOf(keys.nodes)).cli('ZSCORE', keys.nodes, nodeId));
      return end - (await now());
    },
    wipe: async () => {
      for (const server of servers) {
        // A server also lists what another has taken over.
        for (const key of (await server.cli('KEYS', `${keys.namespace}:*`)) as string[])
          await (await serverOf(key)).cli('DEL', key);
      }
    },
    removeSession: async (id) => {
      for (const key of Object.values(keys.session(id))) await (await serverOf(key)).cli('DEL', key);
    },
  };
}

const newKeys = (): RedisKeys => new RedisKeys(`t${randomUUID().slice(0, 8)}`);

export async function redisEngine(): Promise<EngineUnderTest & { readonly server: RedisServer }> {
  const server = await RedisServer.start();
  return {
    server,
    newCluster: () => redisClusterOn(server, newKeys()),
    stop: () => server.stop(),
  };
}

/** A cluster on a Redis, also one whose nodes other processes are. */
export function redisClusterOn(server: RedisServer, keys: RedisKeys): ClusterUnderTest {
  return {
    openNode: (options) => redisLinks(server, keys, options),
    ...onServers({ servers: [server], serverOf: () => Promise.resolve(server), publish: 'PUBLISH' }, keys),
  };
}

/** @param cluster servers that run already, and go on */
export function redisClusterEngine(cluster: RedisClusterServers): EngineUnderTest {
  return {
    newCluster: () => {
      const keys = newKeys();
      const serverOf = async (key: string): Promise<RedisServer> =>
        cluster.masterOf(await cluster.slotOf(key));
      return {
        openNode: (options) => redisClusterLinks(cluster, keys, options),
        ...onServers({ servers: cluster.servers, serverOf, publish: 'SPUBLISH' }, keys),
      };
    },
    stop: () => Promise.resolve(),
  };
}

const SCRIPTS = [
  ...Object.values(NODE_SCRIPTS),
  ...Object.values(ROOM_SCRIPTS),
  ...Object.values(JOB_SCRIPTS),
  ...Object.values(SESSION_SCRIPTS),
  ...Object.values(STANDING_SCRIPTS),
  ...Object.values(WAITING_SCRIPTS),
];

async function redisLinks(
  server: RedisServer,
  keys: RedisKeys,
  options: NodeRegistryOptions,
): Promise<NodeLinks> {
  const proxy = await TcpProxy.start({ to: server.port });
  const links = await RedisLinks.connect({ target: parseRedisTarget(proxy.url), scripts: SCRIPTS });
  return nodeLinks({ links, channels: new RedisChannels(links), way: proxy }, keys, options);
}

async function redisClusterLinks(
  servers: RedisClusterServers,
  keys: RedisKeys,
  options: NodeRegistryOptions,
): Promise<NodeLinks> {
  const proxies = await ClusterProxies.start(servers);
  const { translate } = proxies;
  const target = parseRedisTarget(proxies.url);
  const links = await ClusterLinks.connect({ target, translate, scripts: SCRIPTS });
  return nodeLinks({ links, channels: new ShardedChannels(links), way: proxies }, keys, options);
}

interface NodeSide {
  readonly links: RedisLinks | ClusterLinks;
  readonly channels: Channels;
  readonly way: TcpProxy | ClusterProxies;
}

function nodeLinks(
  { links, channels, way }: NodeSide,
  keys: RedisKeys,
  options: NodeRegistryOptions,
): NodeLinks {
  return {
    channels,
    keys,
    store: new RedisRoomStore(links, keys),
    registry: new RedisNodeRegistry(links, keys, options),
    jobs: new RedisJobQueue(links, keys),
    sessions: new RedisSessionStore(links, keys),
    standings: new RedisStandingStore(links, keys),
    waiting: new RedisWaitingStore(links, keys),
    setReachable: (reachable) => way.setMode(reachable ? 'pass' : 'cut'),
    async close() {
      // A link that is closed while it is down keeps the process for 2 s.
      await way.setMode('pass');
      await eventually(() => {
        if (links.problem()) throw new Error(links.problem());
      });
      await links.close();
      await way.stop();
    },
  };
}
