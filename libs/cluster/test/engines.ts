import { randomUUID } from 'node:crypto';
import { parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import {
  MemoryEngine,
  MemoryRoomStore,
  RedisRoomStore,
  ROOM_SCRIPTS,
  type RoomStore,
  StoreError,
} from '@wss/state';
import { eventually, RedisServer, TcpProxy } from '@wss/testing';
import {
  type Channels,
  JOB_SCRIPTS,
  type JobQueue,
  MemoryClusterChannels,
  MemoryJobQueue,
  MemoryNodeRegistry,
  MemorySessionStore,
  NODE_SCRIPTS,
  type NodeRegistry,
  type NodeRegistryOptions,
  RedisChannels,
  RedisJobQueue,
  RedisNodeRegistry,
  RedisSessionStore,
  SESSION_SCRIPTS,
  type SessionStore,
} from '../src/index.js';

/** One node's own way to the engine. */
export interface NodeLinks {
  readonly channels: Channels;
  readonly keys: RedisKeys;
  readonly registry: NodeRegistry;
  readonly store: RoomStore;
  readonly jobs: JobQueue;
  readonly sessions: SessionStore;
  setReachable(reachable: boolean): Promise<void>;
  close(): Promise<void>;
}

/** One cluster on an engine, apart from all others. */
export interface ClusterUnderTest {
  openNode(options: NodeRegistryOptions): Promise<NodeLinks>;
  /** As a program that is no node would. */
  publish(channel: string, message: string): Promise<void>;
  /** How long a node's lease still holds by the engine's clock, ms. */
  leaseLeftMs(nodeId: string): Promise<number>;
  /** The engine's clock, ms since 1970. */
  now(): Promise<number>;
  /** The engine loses everything. */
  wipe(): Promise<void>;
}

export interface EngineUnderTest {
  newCluster(): ClusterUnderTest;
  stop(): Promise<void>;
}

/** An engine whose clock is an hour ahead of the nodes'. */
export function memoryEngine(): EngineUnderTest {
  return {
    newCluster: () => {
      const engine = new MemoryEngine(() => Date.now() + 3_600_000);
      return {
        openNode: (options) => Promise.resolve(memoryLinks(engine, options)),
        publish: async (channel, message) => engine.channels.publish(channel, message),
        leaseLeftMs: async (nodeId) => engine.nodes.get(nodeId)!.endsAt - engine.now(),
        now: async () => engine.now(),
        wipe: async () => {
          engine.nodes.clear();
          engine.rooms.clear();
        },
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
    setReachable: async (value) => void (reachable = value),
    close: () => Promise.resolve(),
  };
}

export async function redisEngine(): Promise<EngineUnderTest & { readonly server: RedisServer }> {
  const server = await RedisServer.start();
  return {
    server,
    newCluster: () => redisClusterOn(server, new RedisKeys(`t${randomUUID().slice(0, 8)}`)),
    stop: () => server.stop(),
  };
}

/** A cluster on a Redis, also one whose nodes other processes are. */
export function redisClusterOn(server: RedisServer, keys: RedisKeys): ClusterUnderTest {
  const now = async (): Promise<number> => {
    const [seconds, micros] = (await server.cli('TIME')) as [string, string];
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
  };
  return {
    now,
    openNode: (options) => redisLinks(server, keys, options),
    publish: async (channel, message) => void (await server.cli('PUBLISH', channel, message)),
    leaseLeftMs: async (nodeId) => {
      const end = Number(await server.cli('ZSCORE', keys.nodes, nodeId));
      return end - (await now());
    },
    wipe: async () => {
      const all = (await server.cli('KEYS', `${keys.namespace}:*`)) as string[];
      if (all.length > 0) await server.cli('DEL', ...all);
    },
  };
}

async function redisLinks(
  server: RedisServer,
  keys: RedisKeys,
  options: NodeRegistryOptions,
): Promise<NodeLinks> {
  const proxy = await TcpProxy.start({ to: server.port });
  const scripts = [
    ...Object.values(NODE_SCRIPTS),
    ...Object.values(ROOM_SCRIPTS),
    ...Object.values(JOB_SCRIPTS),
    ...Object.values(SESSION_SCRIPTS),
  ];
  const links = await RedisLinks.connect({ target: parseRedisTarget(proxy.url), scripts });
  return {
    channels: new RedisChannels(links),
    keys,
    store: new RedisRoomStore(links, keys),
    registry: new RedisNodeRegistry(links, keys, options),
    jobs: new RedisJobQueue(links, keys),
    sessions: new RedisSessionStore(links, keys),
    setReachable: (reachable) => proxy.setMode(reachable ? 'pass' : 'cut'),
    async close() {
      // A link that is closed while it is down keeps the process for 2 s.
      await proxy.setMode('pass');
      await eventually(() => {
        if (links.problem()) throw new Error(links.problem());
      });
      await links.close();
      await proxy.stop();
    },
  };
}
