import { describe, expect, it } from '@jest/globals';
import { ClusterLinks, parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import {
  changedScript,
  newSeed,
  Random,
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
} from '../../src/index.js';
import { attackLimits, rateLimitContract, type RatedStore } from './rate-limits.contract.js';
import { entry } from './room-store.contract.js';

const DEBUG = { args: ['--enable-debug-command', 'local'] };

/** Scripts that take the time from a key of the room; no key ends by Redis' own clock meanwhile. */
const SCRIPTS: RoomScripts = {
  ...ROOM_SCRIPTS,
  commit: changedScript(ROOM_SCRIPTS.commit, [
    ["call('TIME')", "call('HMGET', KEYS[1] .. ':clock', 's', 'u')"],
    ["'PX', string.format('%d', ms)", "'PX', string.format('%d', ms + 3600000)"],
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
function ratedOn(
  links: RedisLinks | ClusterLinks,
  servers: { stop(): Promise<void> },
  scripts = SCRIPTS,
): RatedStore {
  const keys = new RedisKeys('test');
  const masters =
    links instanceof ClusterLinks ? links.shards.map(({ commands }) => commands) : [links.commands];
  return {
    store: new RedisRoomStore(links, keys, scripts),
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

/** How much longer than its last command needs the time of a limit is kept at most, ms: two parts. */
const KEPT_MS = 8_000;

it('keeps a limit in Redis until its last command is worked off, and ends it by itself soon after', async () => {
  const seed = newSeed();
  const random = new Random(seed);
  const server = await RedisServer.start();
  const target = parseRedisTarget(server.url);
  const links = await RedisLinks.connect({ target, scripts: Object.values(ROOM_SCRIPTS) });
  try {
    const keys = new RedisKeys('test');
    const store = new RedisRoomStore(links, keys);
    for (let room = 0; room < 100; room++) {
      const stepUs = random.pick([1, 1_000, 400_000, 3_999_999, 4e6, 30e6]) * (random.below(3) + 1);
      const charges = [{ name: 'e:u60000:ä b', stepUs, burstUs: 1_000 * stepUs }];
      const key = keys.room(`board:${room}`).charge(charges[0]!.name);
      // Earlier commands left it.
      const past = Date.now() * 1_000 + random.below(Math.min(40e6, 500 * stepUs)) - random.pick([0, 8e6]);
      const until = Math.floor(past / 4e6) * 4_000 + KEPT_MS;
      if (random.below(2) === 0) await links.commands.set(key, past, 'PXAT', until);
      for (let n = 1; n <= 6; n++) {
        const reply = await store.commit({
          room: `board:${room}`,
          entries: [entry(n, { charges })],
          documents: [],
          history: { events: 10, ttlMs: 60_000 },
          idleTtlMs: 0,
        });
        expect(reply.status).toBe('committed');
        const found = await links.commands.multi().get(key).pexpiretime(key).exec();
        const [at, endsAt] = found!.map(([, value]) => value);
        // One that has ended by itself was due.
        if (at === null) continue;
        expect(Number(endsAt)).toBeGreaterThanOrEqual(Number(at) / 1_000);
        expect(Number(endsAt)).toBeLessThanOrEqual(Number(at) / 1_000 + KEPT_MS);
      }
    }
  } finally {
    await links.close();
    await server.stop();
  }
});

const PLANTED: readonly (readonly [bug: string, change: ScriptChange])[] = [
  ['a batch that is charged as one command', ['stored or now_us) + steps', 'stored or now_us) + 1']],
  ['a limit that is near and not looked at', ['then near = true end', 'then end']],
  ['an entry that is charged to the limits of the others', ["of = of ~= '' and of", 'of = nil']],
  ['a charge that is not written', ["format('%d', at), 'KEEPTTL'", "format('%d', stored), 'KEEPTTL'"]],
  [
    'a time that was worked off and counts',
    ['(stored > now_us and stored or now_us)', '(stored > 0 and stored or now_us)'],
  ],
  [
    'a batch whose limits are judged beforehand',
    ['aheads[i] = math.min', 'aheads[i] = aheads[i] + 0 * math.min'],
  ],
];

describe('planted bugs of limits in rooms', () => {
  it.each(PLANTED)(
    '%s is found',
    async (_bug, change) => {
      const server = await RedisServer.start(DEBUG);
      const scripts = { ...SCRIPTS, commit: changedScript(SCRIPTS.commit, [change]) };
      const target = parseRedisTarget(server.url);
      const links = await RedisLinks.connect({ target, scripts: Object.values(scripts) });
      const engine = ratedOn(links, server, scripts);
      try {
        const seed = newSeed();
        const attacks = async (): Promise<void> => {
          for (let i = 0; i < 10; i++) await attackLimits(engine, seed + 100 * i);
        };
        await expect(attacks()).rejects.toThrow('toEqual');
      } finally {
        await engine.stop();
      }
    },
    120_000,
  );
});
