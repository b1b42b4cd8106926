import { describe, expect, it } from '@jest/globals';
import { parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { newSeed, Random, RedisServer, type ScriptChange } from '@wss/testing';
import { RedisRoomStore, ROOM_SCRIPTS } from '../../src/index.js';
import { memoryClocked, redisClocked, redisClusterClocked } from './clocked-stores.js';
import { attackLimits, rateLimitContract } from './rate-limits.contract.js';
import { entry } from './room-store.contract.js';

/** No key ends by Redis' own clock, which goes on while the room's stands still. */
const KEPT: ScriptChange = ["'PX', string.format('%d', ms)", "'PX', string.format('%d', ms + 3600000)"];

rateLimitContract('memory', memoryClocked);
rateLimitContract('Redis', () => redisClocked(KEPT));
rateLimitContract('Redis Cluster', () => redisClusterClocked(KEPT));

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
      const engine = await redisClocked(KEPT, change);
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
