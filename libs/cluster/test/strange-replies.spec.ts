import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { RedisServer } from '@wss/testing';
import { RedisNodeRegistry, RedisSessionStore, RedisStandingStore, SessionKeeper } from '../src/index.js';
import { STRANGE_REPLIES, StrangeLinks } from './strange-links.js';

const CLAIM = { id: 's', user: 'ann', generation: 1, endsAt: Date.now() + 3_600_000 };
const OF_MINUTE = 60_000;

let server: RedisServer;
let real: RedisLinks;
let links: StrangeLinks;
let keys: RedisKeys;

beforeAll(async () => {
  server = await RedisServer.start();
  real = await RedisLinks.connect({ target: parseRedisTarget(server.url) });
});
afterAll(async () => {
  await real?.close();
  await server?.stop();
});
beforeEach(() => {
  keys = new RedisKeys(`t${randomUUID().slice(0, 8)}`);
  links = new StrangeLinks(real.commands);
});

/** Calls of the stores whose results are remembered or decide something. */
const CALLS: Readonly<Record<string, () => Promise<unknown>>> = {
  'SessionStore.create': () => sessions().create(CLAIM, OF_MINUTE),
  'SessionStore.resume': () => sessions().resume(CLAIM, OF_MINUTE),
  'SessionStore.sessionsOf': async () =>
    (
      await sessions()
        .sessionsOf(new Set(['ann']))
        .next()
    ).value as unknown,
  'SessionStore.extend': () => sessions().extend(CLAIM, OF_MINUTE),
  'SessionStore.end': () => sessions().end('s'),
  'SessionStore.agree': () => sessions().agree({ signs: true, held: [], ttlMs: OF_MINUTE }),
  'SessionStore.claimEnded': () => sessions().claimEnded(10),
  'StandingStore.read': () => standings().read('ann'),
  'StandingStore.of': () => standings().of(['ann', 'bob']),
  'StandingStore.raise': () => standings().raise('ann', 'newest'),
  'StandingStore.revoke': () => standings().revoke('ann', OF_MINUTE),
  'NodeRegistry.alive': () => registry().alive(),
  'NodeRegistry.join': () => registry().join(),
};
const sessions = (): RedisSessionStore => new RedisSessionStore(links, keys);
const standings = (): RedisStandingStore => new RedisStandingStore(links, keys);
const registry = (): RedisNodeRegistry =>
  new RedisNodeRegistry(links as never, keys, { nodeId: 'n', heartbeatMs: OF_MINUTE });

describe.each(Object.entries(CALLS))('%s', (_name, call) => {
  it.each(STRANGE_REPLIES)('believes nothing that %j tells instead of a reply', async (reply) => {
    for (let which = 0; ; which++) {
      links.disturb(which, reply);
      const [result] = await Promise.allSettled([call()]);
      if (!links.hasDisturbed) break;
      if (result.status === 'fulfilled') expect(oddParts(result.value)).toEqual([]);
      else expect(result.reason).toMatchObject({ name: 'RedisError' });
    }
  });
});

/** Parts of a result that a store never gives: numbers that are none, short texts for secrets, other types. */
function oddParts(result: unknown): unknown[] {
  if (Array.isArray(result)) return result.flatMap(oddParts);
  if (typeof result === 'number') return Number.isSafeInteger(result) ? [] : [result];
  if (typeof result === 'object' && result !== null) return Object.values(result).flatMap(oddParts);
  return result === 'OK' || result === 'foo' ? [result] : [];
}

it.each(STRANGE_REPLIES)('R33: signs with no other secret after a reply of %j', async (reply) => {
  const [held] = await sessions().agree({ signs: true, held: [], ttlMs: OF_MINUTE });
  for (let which = 0; ; which++) {
    links.disturb(which, reply);
    const keeper = await SessionKeeper.start(sessions()).catch(() => undefined);
    if (!links.hasDisturbed) return void keeper?.close();
    keeper?.close();
    if (keeper) expect(keeper.secrets.keys.map(({ secret }) => secret)).toEqual([held]);
  }
});
