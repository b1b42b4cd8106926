import { expect, it, jest } from '@jest/globals';
import { ClusterLinks, parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import {
  changedScript,
  RedisClusterServers,
  newSeed,
  redisFaults,
  RedisServer,
  type ScriptChange,
} from '@wss/testing';
import {
  appendWork,
  Committer,
  MemoryEngine,
  MemoryRoomStore,
  RedisRoomStore,
  ROOM_SCRIPTS,
  type RoomScripts,
} from '../../src/index.js';
import { compareKeys, onceContract, type OnceEngine } from './once.contract.js';

const HOUR = 3_600_000;
const DEBUG = { args: ['--enable-debug-command', 'local'] };

/** Scripts that take the time from a key of the room, with further changes of the commit's. */
const scriptsWith = (...changes: ScriptChange[]): RoomScripts => ({
  ...ROOM_SCRIPTS,
  commit: changedScript(ROOM_SCRIPTS.commit, [
    ["call('TIME')", "call('HMGET', KEYS[1] .. ':clock', 's', 'u')"],
    ...changes,
  ]),
});
const SCRIPTS = scriptsWith();

onceContract('memory', () => {
  let us = 0;
  const engine = new MemoryEngine(() => us / 1_000);
  const used: OnceEngine = {
    store: new MemoryRoomStore(engine),
    setTime: async (_room, now) => void (us = now),
    checkpoint: async () => engine.pauseReplication(),
    loseSinceCheckpoint: async () => engine.promote(),
    loseMeta: async (room) => engine.losePart(room, 'meta'),
    stop: async () => undefined,
  };
  return Promise.resolve(used);
});

/** A store on Redis whose scripts take the time from the room's clock. */
function onceOn(
  links: RedisLinks | ClusterLinks,
  servers: { stop(): Promise<void> },
  scripts = SCRIPTS,
): OnceEngine {
  const keys = new RedisKeys('test');
  const masters =
    links instanceof ClusterLinks ? links.shards.map(({ commands }) => commands) : [links.commands];
  const clock = async (room: string, us: number): Promise<void> => {
    const [s, u] = [Math.floor(us / 1e6), us % 1e6];
    await links.commands.hset(`${keys.room(room).meta}:clock`, { s, u });
  };
  const clocks = new Map<string, number>();
  const faults = redisFaults(masters);
  return {
    store: new RedisRoomStore(links, keys, scripts),
    async setTime(room, us) {
      clocks.set(room, us);
      await clock(room, us);
    },
    checkpoint: faults.checkpoint,
    async loseSinceCheckpoint() {
      await faults.loseSinceCheckpoint();
      // A clock is not set back by what is lost.
      for (const [room, us] of clocks) await clock(room, us);
    },
    loseMeta: async (room) => void (await links.commands.del(keys.room(room).meta)),
    async stop() {
      await links.close();
      await servers.stop();
    },
  };
}

onceContract('Redis', async () => {
  const server = await RedisServer.start(DEBUG);
  const target = parseRedisTarget(server.url);
  return onceOn(await RedisLinks.connect({ target, scripts: Object.values(SCRIPTS) }), server);
});

onceContract('Redis Cluster', async () => {
  const servers = await RedisClusterServers.start(DEBUG);
  const target = parseRedisTarget(servers.url);
  return onceOn(await ClusterLinks.connect({ target, scripts: Object.values(SCRIPTS) }), servers);
});

it('R30: keep a key for 24 hours by the clock of Redis, and the list of keys as long as the last', async () => {
  const server = await RedisServer.start();
  const scripts = Object.values(ROOM_SCRIPTS);
  const links = await RedisLinks.connect({ target: parseRedisTarget(server.url), scripts });
  const keys = new RedisKeys('test').room('tally:1');
  const types = { of: () => ({ type: 'tally', history: { events: 9, ttlMs: HOUR }, idleTtlMs: HOUR }) };
  const store = new RedisRoomStore(links, new RedisKeys('test'));
  const committer = new Committer(store, types, { nodeId: 'n' });
  const wallClock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() - 5 * HOUR);
  try {
    const ends: number[] = [];
    for (const once of ['a', 'b']) {
      const [before] = await links.commands.time();
      await committer.perform(appendWork({ room: 'tally:1', once }, { event: 'e', data: 1 }));
      const lane = keys.lane((await links.commands.zrange(keys.once, '-1', '-1'))[0]!);
      ends.push(await links.commands.pexpiretime(lane));
      const [after] = await links.commands.time();
      expect(ends.at(-1)!).toBeGreaterThanOrEqual(Number(before) * 1_000 + 24 * HOUR - 1_000);
      expect(ends.at(-1)!).toBeLessThanOrEqual((Number(after) + 1) * 1_000 + 24 * HOUR);
    }
    expect(await links.commands.pexpiretime(keys.once)).toBe(Math.max(...ends));
    // The stub of the room that ends idle lives as long as the keys that name it.
    expect(await links.commands.pexpiretime(keys.meta)).toBe(Math.max(...ends));
  } finally {
    wallClock.mockRestore();
    committer.close();
    await links.close();
    await server.stop();
  }
});

it.each<{ bug: string; change: ScriptChange }>([
  {
    bug: 'a key with another body gets the first answer',
    change: ["~= match(record_from, '|([^|]*)|') then", "== '' then"],
  },
  {
    bug: 'the record is not written with the effect',
    change: ["    call('HSET', key, 'h', head)\n  end\nend", '  end\nend'],
  },
])(
  'is found: $bug',
  async ({ change }) => {
    const server = await RedisServer.start(DEBUG);
    const scripts = scriptsWith(change);
    const target = parseRedisTarget(server.url);
    const links = await RedisLinks.connect({ target, scripts: Object.values(scripts) });
    const engine = onceOn(links, server, scripts);
    try {
      const seed = newSeed();
      const search = async (): Promise<void> => {
        for (let i = 0; i < 50; i++) await compareKeys(engine, seed + i);
      };
      await expect(search()).rejects.toThrow('CHAOS_SEED=');
    } finally {
      await engine.stop();
    }
  },
  120_000,
);
