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
  RoomFormats,
  SESSION_SCRIPTS,
  type SessionOptions,
  type SessionStore,
  Sessions,
  ShardedChannels,
} from '@wss/cluster';
import {
  ClusterFence,
  ClusterLinks,
  ClusterProbe,
  type DataLinks,
  type Fence,
  type LinkCount,
  LinkProbe,
  parseRedisTarget,
  type ProbeRecord,
  RedisKeys,
  type RedisLinkOptions,
  RedisLinks,
  ReplicationFence,
  ServerWatch,
  type ServerWatchOptions,
} from '@wss/redis';
import { MemoryEngine, MemoryRoomStore, RedisRoomStore, ROOM_SCRIPTS, type RoomStore } from '@wss/state';
import { type Config, secretsOf } from '../config.js';

/** The place of shared data, and the way between nodes. */
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
  /** True if commits can be proven to survive a failover. */
  readonly canBeDurable: boolean;
  /** Checks of each part of the way to the engine; each returns the problem, or undefined while the part serves. */
  readonly checks: Readonly<Record<string, () => string | undefined>>;
  /** Problems, by part, that break the promises though the engine serves; such a node takes no new clients. */
  readonly fitness?: Readonly<Record<string, () => string | undefined>>;
  /** The links to Redis; absent for the embedded engine. */
  readonly links?: EngineLinks;
  close(): Promise<void>;
}

/** Figures of the links to Redis. */
export interface EngineLinks {
  counts(): LinkCount[];
  readonly probes: ProbeRecord;
}

/** The engine can be reached, but can't keep the node's promises; the message says what to do. */
export class UnfitEngine extends Error {}

/**
 * Opens the engine that the configuration names and proves that it keeps the promises.
 * @throws RedisUnreachable, NoRedisCluster or UnfitEngine, with a remedy.
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
    checks: {},
    close: () => Promise.resolve(),
  };
}

function redisEngine(config: Config, nodeId: string): Promise<Engine> {
  const keys = new RedisKeys(config.WSS_NAMESPACE);
  const target = parseRedisTarget(config.REDIS_SERVER!);
  const options: RedisLinkOptions = {
    target,
    scripts: [
      ...Object.values(ROOM_SCRIPTS),
      ...Object.values(SESSION_SCRIPTS),
      ...Object.values(NODE_SCRIPTS),
      ...Object.values(JOB_SCRIPTS),
      ...Object.values(PRESENCE_SCRIPTS),
    ],
    withFence: config.DURABLE_REPLICAS > 0,
  };
  return target.kind === 'cluster'
    ? redisClusterEngine(options, { config, keys, nodeId })
    : redisServerEngine(options, { config, keys, nodeId });
}

/** Parts of an engine on Redis. */
interface EngineParts {
  readonly config: Config;
  readonly keys: RedisKeys;
  readonly nodeId: string;
}

/** The parts that differ between one server and many. */
interface RedisSide {
  readonly links: DataLinks & {
    problem(): string | undefined;
    counts(): LinkCount[];
    close(): Promise<void>;
  };
  readonly channels: Channels;
  readonly probe: { readonly record: ProbeRecord; problem(): string | undefined; stop(): void };
  readonly fence: Fence | undefined;
  readonly servers: ServerWatch;
}

async function redisServerEngine(options: RedisLinkOptions, parts: EngineParts): Promise<Engine> {
  const { config, keys, nodeId } = parts;
  const links = await RedisLinks.connect(options);
  return closingOnFailure(links, async () => {
    const servers = await requireFit({ servers: () => [links.commands], namespace: keys.namespace });
    const channels = new RedisChannels(links);
    const channel = keys.probe(nodeId);
    const probe = new LinkProbe(links, {
      channel: () => channel,
      publish: links.publish,
      server: 'Redis',
    });
    await channels.subscribe(channel, (message) => probe.onMessage(message));
    probe.start();
    const fence =
      links.fence && new ReplicationFence(links.fence, keys.fence(nodeId), config.DURABLE_REPLICAS);
    return assemble({ links, channels, probe, fence, servers }, parts);
  });
}

async function redisClusterEngine(options: RedisLinkOptions, parts: EngineParts): Promise<Engine> {
  const { config, keys, nodeId } = parts;
  const links = await ClusterLinks.connect(options);
  return closingOnFailure(links, async () => {
    const servers = await requireFit({
      servers: () => links.shards.map(({ commands }) => commands),
      onChange: (callback) => links.onLook(callback),
      clustered: true,
      namespace: keys.namespace,
    });
    const channels = new ShardedChannels(links);
    const probe = new ClusterProbe(links, channels, keys.probe(nodeId));
    probe.start();
    const fence = options.withFence
      ? new ClusterFence(links, keys.fence(nodeId), config.DURABLE_REPLICAS)
      : undefined;
    return assemble({ links, channels, probe, fence, servers }, parts);
  });
}

async function closingOnFailure<T>(links: { close(): Promise<void> }, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await links.close();
    throw error;
  }
}

async function assemble(
  { links, channels, probe, fence, servers }: RedisSide,
  { config, keys, nodeId }: EngineParts,
): Promise<Engine> {
  const registry = new RedisNodeRegistry(links, keys, { nodeId });
  const presence = new RedisPresenceStore(links, keys);
  const formats = new RoomFormats({ registry, presence, onShared: () => void store.endUnused() });
  const leavesStubs = (): boolean => formats.areShared;
  const store = new RedisRoomStore(links, keys, ROOM_SCRIPTS, {
    fence,
    leavesStubs,
    onDenied: (message) => servers.denied(message),
  });
  await formats.start();
  const sessionStore = new RedisSessionStore(links, keys, { leavesStubs });
  const sessions = await Sessions.start(sessionStore, sessionOptions(config));
  sessions.secrets.watch(registry, keys.namespace);
  probe.record.clock.onStep(() => sessions.extendAll());
  return {
    name: 'redis',
    keys,
    store,
    channels,
    sessions,
    sessionStore,
    registry,
    jobs: new RedisJobQueue(links, keys),
    presence,
    canBeDurable: fence !== undefined,
    checks: {
      links: () => links.problem(),
      proofs: () => probe.problem(),
      channels: () => channels.problem(),
    },
    fitness: { server: () => servers.problem(), secrets: () => sessions.secrets.problem() },
    links: { counts: () => links.counts(), probes: probe.record },
    async close() {
      probe.stop();
      servers.stop();
      formats.stop();
      await links.close();
    },
  };
}

function sessionOptions({ SESSION_SECRET, SESSION_TTL_MS, MAX_ROOMS_PER_SESSION }: Config): SessionOptions {
  return {
    ttlMs: SESSION_TTL_MS,
    maxRooms: MAX_ROOMS_PER_SESSION,
    ...(SESSION_SECRET !== undefined && { secret: secretsOf(SESSION_SECRET) }),
  };
}

/** @throws UnfitEngine when the servers can't keep the promises */
async function requireFit(options: ServerWatchOptions): Promise<ServerWatch> {
  const watch = new ServerWatch(options);
  const checks = await watch.look();
  const errors = new Set(checks.flatMap((check) => check.errors));
  if (errors.size > 0) {
    throw new UnfitEngine(`this Redis can't keep the promises:\n  ${[...errors].join('\n  ')}`);
  }
  const versions = [...new Set(checks.map(({ version }) => version))].join(' and ');
  const masters = options.clustered ? `, ${checks.length} masters` : '';
  new Logger('Engine').log(`Redis ${versions} is connected${masters}`);
  watch.start();
  return watch;
}
