import { Logger } from '@nestjs/common';
import {
  type Channels,
  MemoryClusterChannels,
  MemorySessionStore,
  RedisChannels,
  RedisSessionStore,
  SESSION_SCRIPTS,
  Sessions,
} from '@wss/cluster';
import { checkServer, parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { MemoryEngine, MemoryRoomStore, RedisRoomStore, ROOM_SCRIPTS, type RoomStore } from '@wss/state';
import type { Config } from './config.js';

/** Where shared data lives, and how nodes hear of each other. */
export interface Engine {
  readonly name: 'memory' | 'redis';
  readonly keys: RedisKeys;
  readonly store: RoomStore;
  readonly channels: Channels;
  readonly sessions: Sessions;
  /** Why the engine can't serve now; nothing while it can. */
  problem(): string | undefined;
  close(): Promise<void>;
}

/**
 * Opens the engine that the configuration names and proves that it keeps the promises.
 * @throws Error with a remedy when Redis is out of reach or unfit.
 */
export function openEngine(config: Config): Promise<Engine> {
  const keys = new RedisKeys(config.WSS_NAMESPACE);
  if (config.REDIS_SERVER === undefined) return memoryEngine(new MemoryEngine(), keys);
  return redisEngine(config.REDIS_SERVER, keys);
}

/** The embedded engine; nodes of one process may share it. */
export async function memoryEngine(engine: MemoryEngine, keys: RedisKeys): Promise<Engine> {
  return {
    name: 'memory',
    keys,
    store: new MemoryRoomStore(engine, (room) => keys.room(room).channel),
    channels: new MemoryClusterChannels(engine),
    sessions: await Sessions.start(new MemorySessionStore(engine)),
    problem: () => undefined,
    close: () => Promise.resolve(),
  };
}

async function redisEngine(url: string, keys: RedisKeys): Promise<Engine> {
  const links = await RedisLinks.connect({
    target: parseRedisTarget(url),
    scripts: Object.values(ROOM_SCRIPTS),
  });
  try {
    await requireFit(links);
  } catch (error) {
    await links.close();
    throw error;
  }
  return {
    name: 'redis',
    keys,
    store: new RedisRoomStore(links, keys),
    channels: new RedisChannels(links),
    sessions: await Sessions.start(new RedisSessionStore(links, keys)),
    problem: () => links.problem(),
    close: () => links.close(),
  };
}

async function requireFit(links: RedisLinks): Promise<void> {
  const logger = new Logger('Engine');
  const { errors, warnings, version } = await checkServer(links.commands);
  for (const warning of warnings) logger.warn(`Redis: ${warning}`);
  if (errors.length > 0) throw new Error(`this Redis can't keep the promises:\n  ${errors.join('\n  ')}`);
  logger.log(`Redis ${version} is connected`);
}
