import { ClusterLinks, parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import {
  changedScript,
  RedisClusterServers,
  redisFaults,
  RedisServer,
  type ScriptChange,
} from '@wss/testing';
import {
  MemoryEngine,
  MemoryRoomStore,
  RedisRoomStore,
  ROOM_SCRIPTS,
  type RoomScripts,
  type RoomStore,
} from '../../src/index.js';

/** A store whose clock the test sets, and the faults of its engine. */
export interface ClockedStore {
  readonly store: RoomStore;
  /** Sets the engine's clock for a room, µs since 1970. It is not set back by what is lost. */
  setTime(room: string, us: number): Promise<void>;
  checkpoint(): Promise<void>;
  loseSinceCheckpoint(): Promise<void>;
  loseMeta(room: string): Promise<void>;
  stop(): Promise<void>;
}

const DEBUG = { args: ['--enable-debug-command', 'local'] };

/** Scripts whose commit takes the time from a key of the room, with further changes of it. */
function clockedScripts(changes: readonly ScriptChange[]): RoomScripts {
  const clock: ScriptChange = ["call('TIME')", "call('HMGET', KEYS[1] .. ':clock', 's', 'u')"];
  return { ...ROOM_SCRIPTS, commit: changedScript(ROOM_SCRIPTS.commit, [clock, ...changes]) };
}

export function memoryClocked(): Promise<ClockedStore> {
  let us = 0;
  const engine = new MemoryEngine(() => us / 1_000);
  return Promise.resolve({
    store: new MemoryRoomStore(engine),
    setTime: async (_room, now) => void (us = now),
    checkpoint: async () => engine.pauseReplication(),
    loseSinceCheckpoint: async () => engine.promote(),
    loseMeta: async (room) => engine.losePart(room, 'meta'),
    stop: async () => undefined,
  });
}

/** @param changes further ones of the commit's script, e.g. a bug */
export async function redisClocked(...changes: ScriptChange[]): Promise<ClockedStore> {
  const server = await RedisServer.start(DEBUG);
  const scripts = clockedScripts(changes);
  const target = parseRedisTarget(server.url);
  const links = await RedisLinks.connect({ target, scripts: Object.values(scripts) });
  return clockedOn(links, server, scripts);
}

/** @param changes as of {@link redisClocked} */
export async function redisClusterClocked(...changes: ScriptChange[]): Promise<ClockedStore> {
  const servers = await RedisClusterServers.start(DEBUG);
  const scripts = clockedScripts(changes);
  const target = parseRedisTarget(servers.url);
  const links = await ClusterLinks.connect({ target, scripts: Object.values(scripts) });
  return clockedOn(links, servers, scripts);
}

function clockedOn(
  links: RedisLinks | ClusterLinks,
  servers: { stop(): Promise<void> },
  scripts: RoomScripts,
): ClockedStore {
  const keys = new RedisKeys('test');
  const masters =
    links instanceof ClusterLinks ? links.shards.map(({ commands }) => commands) : [links.commands];
  const faults = redisFaults(masters);
  const clocks = new Map<string, number>();
  const writeClock = async (room: string, us: number): Promise<void> => {
    const clock = { s: Math.floor(us / 1e6), u: us % 1e6 };
    await links.commands.hset(`${keys.room(room).meta}:clock`, clock);
  };
  return {
    store: new RedisRoomStore(links, keys, scripts),
    async setTime(room, us) {
      clocks.set(room, us);
      await writeClock(room, us);
    },
    checkpoint: faults.checkpoint,
    async loseSinceCheckpoint() {
      await faults.loseSinceCheckpoint();
      for (const [room, us] of clocks) await writeClock(room, us);
    },
    loseMeta: async (room) => void (await links.commands.del(keys.room(room).meta)),
    async stop() {
      await links.close();
      await servers.stop();
    },
  };
}
