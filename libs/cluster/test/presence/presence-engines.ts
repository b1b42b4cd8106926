import { randomUUID } from 'node:crypto';
import { ClusterLinks, type DataLinks, parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { MemoryEngine, StoreError } from '@wss/state';
import {
  ClusterProxies,
  type RedisClusterServers,
  type RedisFaults,
  redisFaults,
  RedisServer,
  TcpProxy,
} from '@wss/testing';
import type { Redis } from 'ioredis';
import {
  MemoryNodeRegistry,
  MemoryPresenceStore,
  NODE_SCRIPTS,
  type NodeRegistry,
  PRESENCE_SCRIPTS,
  type PresenceStore,
  RedisNodeRegistry,
  RedisPresenceStore,
  ShardedChannels,
} from '../../src/index.js';
import { NodeTable } from '../../src/nodes/node-table.memory.js';
import { PresenceTable } from '../../src/presence/presence-table.memory.js';
import { aheadClock } from '../engines.js';
import { decodeRoomMessage, type PresenceDelta } from '../../src/rooms/room-message.js';

/** Short leases, so that deaths are noticed quickly. */
export const LEASE = { heartbeatMs: 50, leaseMs: 1_000 };

/** One node's own way to the engine. */
export interface PresenceLinks {
  readonly store: PresenceStore;
  readonly registry: NodeRegistry;
  setReachable(reachable: boolean): Promise<void>;
  close(): Promise<void>;
}

/** An engine under test, with the faults that the suites need. */
export interface PresenceEngine {
  readonly keys: RedisKeys;
  /** A way to the engine that is always there. */
  readonly store: PresenceStore;
  openNode(nodeId: string): Promise<PresenceLinks>;
  /** All announcements of a room from now on, in order; the array grows. */
  hear(room: string): Promise<PresenceDelta[]>;
  /** Reads what is kept of a room's presence, but for the owners that may write nothing there. */
  leftovers(room: string): Promise<string[]>;
  /** Makes the engine refuse publications, or accept them again. */
  refusePublications(refused: boolean): Promise<void>;
  /** All leases end, as after a long outage. */
  endLeases(): Promise<void>;
  newHistory(): Promise<void>;
  checkpoint(): Promise<void>;
  loseSinceCheckpoint(): Promise<void>;
  stop(): Promise<void>;
}

/** An engine whose clock is an hour ahead of the nodes'. */
export async function memoryPresence(engine = new MemoryEngine(aheadClock)): Promise<PresenceEngine> {
  const keys = new RedisKeys('test');
  const channelOf = (room: string): string => keys.room(room).channel;
  const store = new MemoryPresenceStore(engine, channelOf);
  return {
    keys,
    store,
    openNode: (nodeId) => Promise.resolve(memoryNode(engine, nodeId, channelOf)),
    async hear(room) {
      const deltas: PresenceDelta[] = [];
      engine.channels.subscribe(channelOf(room), collect(deltas));
      return deltas;
    },
    async leftovers(room) {
      const presence = engine.table(PresenceTable).rows.get(room);
      if (!presence) return [];
      const { users, clients, metas, coming, going, entries } = presence;
      return [...users, ...[clients, metas, coming, going, entries].flatMap((map) => [...map.keys()])];
    },
    refusePublications: async (refused) => void (engine.channels.refusing = refused),
    endLeases: async () => engine.table(NodeTable).rows.clear(),
    newHistory: async () => engine.promote(),
    checkpoint: async () => engine.pauseReplication(),
    loseSinceCheckpoint: async () => engine.promote(),
    stop: () => Promise.resolve(),
  };
}

function memoryNode(
  engine: MemoryEngine,
  nodeId: string,
  channelOf: (room: string) => string,
): PresenceLinks {
  let reachable = true;
  const link = new Proxy(engine, {
    get: (target, name) => (name === 'call' ? call : (Reflect.get(target, name) as unknown)),
  });
  const call: MemoryEngine['call'] = (work) =>
    reachable ? engine.call(work) : Promise.reject(new StoreError('unavailable', 'cut off'));
  return {
    store: new MemoryPresenceStore(link, channelOf),
    registry: new MemoryNodeRegistry(link, { nodeId, ...LEASE }),
    setReachable: async (value) => void (reachable = value),
    close: () => Promise.resolve(),
  };
}

export async function redisPresence(): Promise<PresenceEngine & { readonly links: RedisLinks }> {
  const server = await RedisServer.start({ args: ['--enable-debug-command', 'local'] });
  const keys = newKeys();
  const target = parseRedisTarget(server.url);
  const links = await RedisLinks.connect({ target, scripts: SCRIPTS, commandTimeoutMs: 10_000 });
  links.subscriber.setMaxListeners(0);
  return {
    links,
    openNode: (nodeId) => redisNode(server, keys, nodeId),
    ...onRedis(links, [links.commands], keys),
    async hear(room) {
      const deltas: PresenceDelta[] = [];
      const { channel } = keys.room(room);
      const add = collect(deltas);
      links.subscriber.on('message', (from, message) => from === channel && add(message));
      await links.subscriber.subscribe(channel);
      return deltas;
    },
    async stop() {
      await links.close();
      await server.stop();
    },
  };
}

/** @param servers run already, with DEBUG, and go on */
export async function redisClusterPresence(servers: RedisClusterServers): Promise<PresenceEngine> {
  const keys = newKeys();
  const target = parseRedisTarget(servers.url);
  const links = await ClusterLinks.connect({ target, scripts: SCRIPTS, commandTimeoutMs: 10_000 });
  const channels = new ShardedChannels(links);
  return {
    openNode: (nodeId) => redisClusterNode(servers, keys, nodeId),
    ...onRedis(
      links,
      links.shards.map(({ commands }) => commands),
      keys,
    ),
    async hear(room) {
      const deltas: PresenceDelta[] = [];
      await channels.subscribe(keys.room(room).channel, collect(deltas));
      return deltas;
    },
    stop: () => links.close(),
  };
}

function onRedis(
  links: DataLinks,
  masters: readonly Redis[],
  keys: RedisKeys,
): Pick<PresenceEngine, 'keys' | 'store' | 'leftovers' | 'refusePublications' | 'endLeases'> & RedisFaults {
  return {
    keys,
    store: new RedisPresenceStore(links, keys),
    async leftovers(room) {
      const { state, dead } = keys.presence(room);
      const found = await Promise.all(masters.map((redis) => redis.keys(`${state}*`)));
      return found.flat().filter((key) => key !== dead);
    },
    async refusePublications(refused) {
      const rights = refused ? ['-publish', '-spublish'] : ['+publish', '+spublish'];
      for (const redis of masters) await redis.acl('SETUSER', 'default', ...rights);
    },
    async endLeases() {
      await links.commands.del(keys.nodes);
      await links.commands.del(keys.nodeRecords);
    },
    ...redisFaults(masters),
  };
}

const SCRIPTS = [...Object.values(NODE_SCRIPTS), ...Object.values(PRESENCE_SCRIPTS)];

const newKeys = (): RedisKeys => new RedisKeys(`t${randomUUID().slice(0, 8)}`);

async function redisNode(server: RedisServer, keys: RedisKeys, nodeId: string): Promise<PresenceLinks> {
  const proxy = await TcpProxy.start({ to: server.port });
  const links = await RedisLinks.connect({ target: parseRedisTarget(proxy.url), scripts: SCRIPTS });
  return nodeLinks({ links, way: proxy, keys, nodeId });
}

async function redisClusterNode(
  servers: RedisClusterServers,
  keys: RedisKeys,
  nodeId: string,
): Promise<PresenceLinks> {
  const proxies = await ClusterProxies.start(servers);
  const { translate } = proxies;
  const target = parseRedisTarget(proxies.url);
  const links = await ClusterLinks.connect({ target, translate, scripts: SCRIPTS });
  return nodeLinks({ links, way: proxies, keys, nodeId });
}

interface NodeSide {
  readonly links: RedisLinks | ClusterLinks;
  readonly way: TcpProxy | ClusterProxies;
  readonly keys: RedisKeys;
  readonly nodeId: string;
}

function nodeLinks({ links, way, keys, nodeId }: NodeSide): PresenceLinks {
  return {
    store: new RedisPresenceStore(links, keys),
    registry: new RedisNodeRegistry(links, keys, { nodeId, ...LEASE }),
    setReachable: (reachable) => way.setMode(reachable ? 'pass' : 'cut'),
    async close() {
      await links.close();
      await way.stop();
    },
  };
}

function collect(deltas: PresenceDelta[]): (message: string) => void {
  return (message) => {
    const decoded = decodeRoomMessage(message);
    if (decoded.kind === 'presence') deltas.push(JSON.parse(decoded.delta) as PresenceDelta);
  };
}

/** The users that the announcements leave in the room, in the order of their names. */
export function fold(deltas: readonly PresenceDelta[]): string[] {
  const users = new Set<string>();
  for (const { joined, left } of deltas) {
    for (const { user } of joined) users.add(user);
    for (const user of left) users.delete(user);
  }
  return [...users].sort();
}

/** How often a user was announced as come and as gone. */
export function announcementsOf(
  deltas: readonly PresenceDelta[],
  name: string,
): { joined: number; left: number } {
  const joined = deltas.flatMap((delta) => delta.joined).filter(({ user }) => user === name).length;
  return { joined, left: deltas.flatMap(({ left }) => left).filter((user) => user === name).length };
}
