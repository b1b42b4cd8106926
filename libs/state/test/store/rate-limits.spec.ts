import { expect, it } from '@jest/globals';
import { ClusterLinks, parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { changedScript, RedisClusterServers, redisFaults, RedisServer } from '@wss/testing';
import {
  MemoryEngine,
  MemoryRoomStore,
  RedisRoomStore,
  ROOM_SCRIPTS,
  type RoomScripts,
} from '../../src/index.js';
import { rateLimitContract, type RatedStore } from './rate-limits.contract.js';
import { entry } from './room-store.contract.js';

const DEBUG = { args: ['--enable-debug-command', 'local'] };

/** Scripts that take the time from a key of the room. */
const SCRIPTS: RoomScripts = {
  ...ROOM_SCRIPTS,
  commit: changedScript(ROOM_SCRIPTS.commit, [
    ["call('TIME')", "call('HMGET', KEYS[1] .. ':clock', 's', 'u')"],
  ]),
};

const seconds = (us: number): [number, number] => [Math.floor(us / 1e6), us % 1e6];

rateLimitContract('memory', () => {
  let us = 0;
  const engine = new MemoryEngine(() => us / 1_000);
  const rated: RatedStore = {
    store: new MemoryRoomStore(engine),
    setTime: async (_room, now) => void (us = now),
    checkpoint: async () => engine.pauseReplication(),
    loseSinceCheckpoint: async () => engine.promote(),
    stop: async () => undefined,
  };
  return Promise.resolve(rated);
});

/** A store on Redis whose scripts take the time from the room's clock. */
function ratedOn(links: RedisLinks | ClusterLinks, servers: { stop(): Promise<void> }): RatedStore {
  const keys = new RedisKeys('test');
  const masters =
    links instanceof ClusterLinks ? links.shards.map(({ commands }) => commands) : [links.commands];
  return {
    store: new RedisRoomStore(links, keys, SCRIPTS),
    async setTime(room, us) {
      const [s, u] = seconds(us);
      await links.commands.hset(`${keys.room(room).meta}:clock`, { s, u });
    },
    ...redisFaults(masters),
    async stop() {
      await links.close();
      await servers.stop();
    },
  };
}

rateLimitContract('Redis', async () => {
  const server = await RedisServer.start(DEBUG);
  const target = parseRedisTarget(server.url);
  return ratedOn(await RedisLinks.connect({ target, scripts: Object.values(SCRIPTS) }), server);
});

rateLimitContract('Redis Cluster', async () => {
  const servers = await RedisClusterServers.start(DEBUG);
  const target = parseRedisTarget(servers.url);
  return ratedOn(await ClusterLinks.connect({ target, scripts: Object.values(SCRIPTS) }), servers);
});

it('a limit in Redis ends by itself when its last command is worked off', async () => {
  const server = await RedisServer.start();
  const links = await RedisLinks.connect({
    target: parseRedisTarget(server.url),
    scripts: Object.values(ROOM_SCRIPTS),
  });
  try {
    const keys = new RedisKeys('test');
    const store = new RedisRoomStore(links, keys);
    const commit = (charges: object) =>
      store.commit({
        room: 'board:1',
        entries: [entry(1, charges)],
        documents: [],
        history: { events: 10, ttlMs: 60_000 },
        idleTtlMs: 0,
      });
    await commit({ charges: [{ name: 'e:u60000:ä b', stepUs: 20e6, burstUs: 60e6 }] });
    const key = keys.room('board:1').charge('e:u60000:ä b');
    const left = await links.commands.pttl(key);
    expect(left).toBeGreaterThan(10_000);
    expect(left).toBeLessThanOrEqual(20_000);
  } finally {
    await links.close();
    await server.stop();
  }
});
