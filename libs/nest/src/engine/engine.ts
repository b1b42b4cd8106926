import { Logger } from '@nestjs/common';
import {
  type Channels,
  JOB_SCRIPTS,
  type JobQueue,
  MemoryClusterChannels,
  MemoryJobQueue,
  MemoryNodeRegistry,
  MemoryPlaceStore,
  MemoryPresenceStore,
  MemorySessionStore,
  MemoryStandingStore,
  NODE_SCRIPTS,
  type NodeRegistry,
  PLACE_SCRIPTS,
  type PlaceStore,
  PRESENCE_SCRIPTS,
  type PresenceStore,
  RedisChannels,
  RedisJobQueue,
  RedisNodeRegistry,
  RedisPlaceStore,
  RedisPresenceStore,
  RedisSessionStore,
  RedisStandingStore,
  RoomFormats,
  SESSION_SCRIPTS,
  type SessionStore,
  type SessionKeeper,
  ShardedChannels,
  STANDING_SCRIPTS,
  type StandingStore,
  MemoryWaitingStore,
  RedisWaitingStore,
  WAITING_SCRIPTS,
  type WaitingSessions,
} from '@wss/cluster';
import {
  ClusterFence,
  ClusterLinks,
  ClusterProbe,
  type DataLinks,
  describeTarget,
  type Fence,
  LinkProbe,
  parseRedisTarget,
  ProcessHold,
  RedisKeys,
  type RedisLinkOptions,
  RedisLinks,
  ReplicationFence,
  ServerWatch,
  type ServerWatchOptions,
} from '@wss/redis';
import {
  MemoryEngine,
  MemoryPartStore,
  MemoryRoomStore,
  PART_SCRIPTS,
  type PartStore,
  RedisPartStore,
  RedisRoomStore,
  ROOM_SCRIPTS,
  type RoomStore,
} from '@wss/state';
import type { WssSettings } from '../options/wss-settings.js';
import type { EngineLinks } from './engine-links.js';
import { startSessions } from './engine-sessions.js';
import type { EngineObserver } from './engine-observer.js';
import { ObservedRoomStore } from './observed-store.js';

/** Set-ups of Redis in words. */
const KINDS = { single: 'Redis', sentinel: 'Redis behind Sentinel', cluster: 'Redis Cluster' };

/** The place of shared data, and the way between nodes. */
export abstract class Engine {
  abstract readonly name: 'memory' | 'redis';
  /** The same in words, with the address but without user and password. */
  abstract readonly description: string;
  abstract readonly keys: RedisKeys;
  abstract readonly store: RoomStore;
  abstract readonly channels: Channels;
  abstract readonly sessions: SessionKeeper;
  abstract readonly sessionStore: SessionStore;
  /** Absent where sessions of a user are not limited. */
  abstract readonly waiting?: WaitingSessions | undefined;
  abstract readonly standings: StandingStore;
  abstract readonly registry: NodeRegistry;
  abstract readonly jobs: JobQueue;
  abstract readonly presence: PresenceStore;
  abstract readonly places: PlaceStore;
  abstract readonly userLimits: PartStore;
  /** True if commits can be proven to survive a failover. */
  abstract readonly canBeDurable: boolean;
  /** True if every live node knows that memberships of rooms can be ended (R41). */
  abstract readonly knowsGates: () => boolean;
  /** Checks of each part of the way to the engine; each returns the problem, or undefined while the part serves. */
  abstract readonly checks: Readonly<Record<string, () => string | undefined>>;
  /** Time since the engine last proved that it serves, ms; 0 for the embedded engine. */
  abstract readonly provenAgoMs: () => number;
  /** Problems, by part, that break the promises though the engine serves; such a node takes no new clients. */
  abstract readonly fitness?: Readonly<Record<string, () => string | undefined>>;
  /** The links to Redis; absent for the embedded engine. */
  abstract readonly links?: EngineLinks;
  /** Decides if the engine keeps the process alive; at first it does not. Without links it never does. */
  abstract readonly holdProcess: (isHeld: boolean) => void;
  abstract readonly close: () => Promise<void>;
}

/** The engine can be reached, but can't keep the node's promises; the message says what to do. */
export class UnfitEngine extends Error {}

/** Settings of an engine and parts that the node gives it. */
export interface EngineInit {
  readonly settings: WssSettings;
  readonly nodeId: string;
  /** The embedded engine's data, which nodes of one process may share. Default: its own. */
  readonly memory?: MemoryEngine | undefined;
  readonly observer?: EngineObserver | undefined;
}

/**
 * Opens the engine that the settings name and proves that it keeps the promises.
 * @throws RedisUnreachable, NoRedisCluster or UnfitEngine, with a remedy.
 */
export async function openEngine(init: EngineInit): Promise<Engine> {
  const { settings, nodeId, memory = new MemoryEngine(), observer } = init;
  const engine = await (settings.redisUrl === undefined
    ? memoryEngine(memory, settings, nodeId)
    : redisEngine(settings.redisUrl, settings, nodeId));
  return observer ? { ...engine, store: new ObservedRoomStore(engine.store, observer) } : engine;
}

async function memoryEngine(engine: MemoryEngine, settings: WssSettings, nodeId: string): Promise<Engine> {
  const keys = new RedisKeys(settings.namespace);
  const sessionStore = new MemorySessionStore(engine);
  const registry = new MemoryNodeRegistry(engine, { nodeId });
  const store = new MemoryWaitingStore(engine);
  const sessions = await startSessions(settings, { store, nodeId, registry, sessionStore });
  const channelOf = (room: string): string => keys.room(room).channel;
  return {
    name: 'memory',
    description: 'memory: everything is lost at exit',
    keys,
    store: new MemoryRoomStore(engine, channelOf),
    channels: new MemoryClusterChannels(engine),
    ...sessions,
    standings: new MemoryStandingStore(engine),
    registry,
    jobs: new MemoryJobQueue(engine),
    presence: new MemoryPresenceStore(engine, channelOf),
    places: new MemoryPlaceStore(engine, nodeId),
    userLimits: new MemoryPartStore(engine),
    canBeDurable: true,
    knowsGates: () => true,
    checks: {},
    provenAgoMs: () => 0,
    holdProcess: () => undefined,
    close: async () => sessions.waiting?.close(),
  };
}

function redisEngine(url: string, settings: WssSettings, nodeId: string): Promise<Engine> {
  const keys = new RedisKeys(settings.namespace);
  const target = parseRedisTarget(url);
  const hold = new ProcessHold();
  const options: RedisLinkOptions = {
    target,
    hold,
    scripts: [
      ...Object.values(ROOM_SCRIPTS),
      ...Object.values(SESSION_SCRIPTS),
      ...Object.values(STANDING_SCRIPTS),
      ...Object.values(NODE_SCRIPTS),
      ...Object.values(JOB_SCRIPTS),
      ...Object.values(PRESENCE_SCRIPTS),
      ...Object.values(PLACE_SCRIPTS),
      ...Object.values(PART_SCRIPTS),
      ...Object.values(WAITING_SCRIPTS),
    ],
    withFence: settings.durableReplicas > 0,
  };
  return target.kind === 'cluster'
    ? redisClusterEngine(options, { settings, keys, nodeId, hold })
    : redisServerEngine(options, { settings, keys, nodeId, hold });
}

/** Parts of an engine on Redis. */
interface EngineParts {
  readonly settings: WssSettings;
  readonly keys: RedisKeys;
  readonly nodeId: string;
  readonly hold: ProcessHold;
}

/** The parts that differ between one server and many. */
interface RedisSide {
  readonly links: DataLinks & {
    problem(): string | undefined;
    counts(): ReturnType<EngineLinks['counts']>;
    close(): Promise<void>;
  };
  readonly channels: Channels;
  readonly probe: Pick<LinkProbe, 'record' | 'provenAgoMs' | 'problem' | 'stop'>;
  readonly fence: Fence | undefined;
  readonly servers: ServerWatch;
  readonly target: RedisLinkOptions['target'];
}

async function redisServerEngine(options: RedisLinkOptions, parts: EngineParts): Promise<Engine> {
  const { settings, keys, nodeId } = parts;
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
    channels.onInterruption((heard) => heard.has(channel) && probe.heardAgain());
    probe.start();
    const fence =
      links.fence && new ReplicationFence(links.fence, keys.fence(nodeId), settings.durableReplicas);
    return assemble({ links, channels, probe, fence, servers, target: options.target }, parts);
  });
}

async function redisClusterEngine(options: RedisLinkOptions, parts: EngineParts): Promise<Engine> {
  const { settings, keys, nodeId } = parts;
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
      ? new ClusterFence(links, keys.fence(nodeId), settings.durableReplicas)
      : undefined;
    return assemble({ links, channels, probe, fence, servers, target: options.target }, parts);
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

function checksOf({
  links,
  probe,
  channels,
}: Pick<RedisSide, 'links' | 'probe' | 'channels'>): Engine['checks'] {
  return {
    links: () => links.problem(),
    proofs: () => probe.problem(),
    channels: () => channels.problem(),
  };
}

async function assemble(
  { links, channels, probe, fence, servers, target }: RedisSide,
  { settings, keys, nodeId, hold }: EngineParts,
): Promise<Engine> {
  const registry = new RedisNodeRegistry(links, keys, { nodeId });
  const presence = new RedisPresenceStore(links, keys);
  const formats = new RoomFormats({ registry, presence, onShared: () => void store.endUnused() });
  const leavesStubs = (): boolean => formats.knowStubs;
  const store = new RedisRoomStore(links, keys, ROOM_SCRIPTS, {
    fence,
    leavesStubs,
    onDenied: (message) => servers.denied(message),
  });
  await formats.start();
  const sessionStore = new RedisSessionStore(links, keys, { leavesStubs, fence });
  const notes = new RedisWaitingStore(links, keys);
  const kept = await startSessions(settings, { store: notes, nodeId, registry, sessionStore });
  kept.sessions.secrets.watch(registry, keys.namespace);
  probe.record.clock.onStep(() => kept.sessions.extendAll());
  hold.held = false;
  return {
    name: 'redis',
    description: `${KINDS[target.kind]} at ${describeTarget(target)}`,
    keys,
    store,
    channels,
    ...kept,
    standings: new RedisStandingStore(links, keys, fence),
    registry,
    jobs: new RedisJobQueue(links, keys),
    presence,
    places: new RedisPlaceStore(links, keys, nodeId),
    userLimits: new RedisPartStore(links, keys),
    canBeDurable: fence !== undefined,
    knowsGates: () => formats.knowGates,
    checks: checksOf({ links, probe, channels }),
    provenAgoMs: () => probe.provenAgoMs,
    fitness: { server: () => servers.problem(), secrets: () => kept.sessions.secrets.problem() },
    links: { counts: () => links.counts(), probes: probe.record },
    holdProcess: (isHeld) => void (hold.held = isHeld),
    async close() {
      probe.stop();
      channels.close();
      servers.stop();
      formats.stop();
      kept.waiting?.close();
      await links.close();
    },
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
