import { ClusterLinks, parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import {
  changedScript,
  RedisClusterServers,
  redisFaults,
  RedisServer,
  type ScriptChange,
} from '@wss/testing';
import { MemoryEngine, MemoryPartStore, PART_SCRIPTS, RedisPartStore } from '../../src/index.js';
import type { UserLimitEngine } from './user-rates.contract.js';

const DEBUG = { args: ['--enable-debug-command', 'local'] };
/** Take the time from a key beside the limit's, and keep the limit, whose end is by Redis' own clock. */
const CLOCK: readonly ScriptChange[] = [
  ["call('TIME')", "call('HMGET', KEYS[1] .. ':clock', 's', 'u')"],
  ["'PX', math.ceil(ends / 1000)", "'PX', 86400000"],
];

export function memoryLimits(): Promise<UserLimitEngine> {
  let us = 0;
  const engine = new MemoryEngine(() => us / 1_000);
  return Promise.resolve({
    store: new MemoryPartStore(engine),
    setTime: async (_user, _limit, now) => void (us = now),
    checkpoint: async () => engine.pauseReplication(),
    loseSinceCheckpoint: async () => engine.promote(),
    stop: async () => undefined,
  });
}

interface Servers {
  readonly url: string;
  stop(): Promise<void>;
}

function limitsOn(
  links: RedisLinks | ClusterLinks,
  servers: Servers,
  changes: readonly ScriptChange[],
): UserLimitEngine {
  const keys = new RedisKeys('test');
  const masters =
    links instanceof ClusterLinks ? links.shards.map(({ commands }) => commands) : [links.commands];
  const take = changedScript(PART_SCRIPTS.take, [...CLOCK, ...changes]);
  return {
    store: new RedisPartStore(links, keys, { take }),
    async setTime(user, limit, us) {
      const clock = `${keys.userLimit(user, limit)}:clock`;
      await links.commands.hset(clock, { s: Math.floor(us / 1e6), u: us % 1e6 });
    },
    ...redisFaults(masters),
    async stop() {
      await links.close();
      await servers.stop();
    },
  };
}

/** @param changes bugs that are planted into the script */
export async function redisLimits(changes: readonly ScriptChange[] = []): Promise<UserLimitEngine> {
  const server = await RedisServer.start(DEBUG);
  return limitsOn(await RedisLinks.connect({ target: parseRedisTarget(server.url) }), server, changes);
}

export async function redisClusterLimits(): Promise<UserLimitEngine> {
  const servers = await RedisClusterServers.start(DEBUG);
  return limitsOn(await ClusterLinks.connect({ target: parseRedisTarget(servers.url) }), servers, []);
}
