import { Logger } from '@nestjs/common';
import {
  type Channels,
  JOB_SCRIPTS,
  type JobQueue,
  MemoryClusterChannels,
  MemoryJobQueue,
  MemoryNodeRegistry,
  MemoryPresenceStore,
  MemorySessionStore,
  NODE_SCRIPTS,
  type NodeRegistry,
  PRESENCE_SCRIPTS,
  type PresenceStore,
  RedisChannels,
  RedisJobQueue,
  RedisNodeRegistry,
  RedisPresenceStore,
  RedisSessionStore,
  SESSION_SCRIPTS,
  type SessionOptions,
  type SessionStore,
  Sessions,
} from '@wss/cluster';
import {
  checkServer,
  LinkProbe,
  parseRedisTarget,
  RedisKeys,
  RedisLinks,
  ReplicationFence,
} from '@wss/redis';
import { MemoryEngine, MemoryRoomStore, RedisRoomStore, ROOM_SCRIPTS, type RoomStore } from '@wss/state';
import type { Config } from './config.js';

/** Where shared data lives, and how nodes hear of each other. */
export interface Engine {
  readonly name: 'memory' | 'redis';
  readonly keys: RedisKeys;
  readonly store: RoomStore;
  readonly channels: Channels;
  readonly sessions: Sessions;
  readonly sessionStore: SessionStore;
  readonly registry: NodeRegistry;
  readonly jobs: JobQueue;
  readonly presence: PresenceStore;
  /** Whether commits can be proven to survive a failover. */
  readonly canBeDurable: boolean;
  /** Why the engine can't serve now; nothing while it can. */
  problem(): string | undefined;
  close(): Promise<void>;
}

/** The engine can be reached, but not keep what the node promises; the message says what to do. */
export class UnfitEngine extends Error {}

/**
 * Opens the engine that the configuration names and proves that it keeps the promises.
 * @throws RedisUnreachable, or UnfitEngine, with a remedy.
 */
export function openEngine(config: Config, nodeId: string): Promise<Engine> {
  if (config.REDIS_SERVER === undefined) return memoryEngine(new MemoryEngine(), config, nodeId);
  return redisEngine(config, nodeId);
}

/** The embedded engine; nodes of one process may share it. */
export async function memoryEngine(engine: MemoryEngine, config: Config, nodeId: string): Promise<Engine> {
  const keys = new RedisKeys(config.WSS_NAMESPACE);
  const sessionStore = new MemorySessionStore(engine);
  const channelOf = (room: string): string => keys.room(room).channel;
  return {
    name: 'memory',
    keys,
    store: new MemoryRoomStore(engine, channelOf),
    channels: new MemoryClusterChannels(engine),
    sessions: await Sessions.start(sessionStore, sessionOptions(config)),
    sessionStore,
    registry: new MemoryNodeRegistry(engine, { nodeId }),
    jobs: new MemoryJobQueue(engine),
    presence: new MemoryPresenceStore(engine, channelOf),
    canBeDurable: true,
    problem: () => undefined,
    close: () => Promise.resolve(),
  };
}

async function redisEngine(config: Config, nodeId: string): Promise<Engine> {
  const replicas = config.DURABLE_REPLICAS;
  const links = await RedisLinks.connect({
    target: parseRedisTarget(config.REDIS_SERVER!),
    scripts: [
      ...Object.values(ROOM_SCRIPTS),
      ...Object.values(SESSION_SCRIPTS),
      ...Object.values(NODE_SCRIPTS),
      ...Object.values(JOB_SCRIPTS),
      ...Object.values(PRESENCE_SCRIPTS),
    ],
    withFence: replicas > 0,
  });
  try {
    await requireFit(links);
    return await assemble(links, nodeId, config);
  } catch (error) {
    await links.close();
    throw error;
  }
}

async function assemble(links: RedisLinks, nodeId: string, config: Config): Promise<Engine> {
  const keys = new RedisKeys(config.WSS_NAMESPACE);
  const replicas = config.DURABLE_REPLICAS;
  const channels = new RedisChannels(links);
  const probe = new LinkProbe(links, keys.probe(nodeId));
  await channels.subscribe(keys.probe(nodeId), (message) => probe.onMessage(message));
  probe.start();
  const sessionStore = new RedisSessionStore(links, keys);
  const fence = links.fence && new ReplicationFence(links.fence, keys.fence(nodeId), replicas);
  return {
    name: 'redis',
    keys,
    store: new RedisRoomStore(links, keys, ROOM_SCRIPTS, fence),
    channels,
    sessions: await Sessions.start(sessionStore, sessionOptions(config)),
    sessionStore,
    registry: new RedisNodeRegistry(links, keys, { nodeId }),
    jobs: new RedisJobQueue(links, keys),
    presence: new RedisPresenceStore(links, keys),
    canBeDurable: replicas > 0,
    problem: () => links.problem() ?? probe.problem(),
    async close() {
      probe.stop();
      await links.close();
    },
  };
}

function sessionOptions({ SESSION_SECRET, SESSION_TTL_MS }: Config): SessionOptions {
  return { ttlMs: SESSION_TTL_MS, ...(SESSION_SECRET !== undefined && { secret: SESSION_SECRET }) };
}

async function requireFit(links: RedisLinks): Promise<void> {
  const logger = new Logger('Engine');
  const { errors, warnings, version } = await checkServer(links.commands);
  for (const warning of warnings) logger.warn(`Redis: ${warning}`);
  if (errors.length > 0) {
    throw new UnfitEngine(`this Redis can't keep the promises:\n  ${errors.join('\n  ')}`);
  }
  logger.log(`Redis ${version} is connected`);
}
