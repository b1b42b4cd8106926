import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type PresenceStore, PRESENCE_SCRIPTS, RedisPresenceStore } from '../../src/index.js';
import type { PresenceChange } from '../../src/presence/presence-store.js';
import { redisPresence } from './presence-engines.js';
import { presenceStoreContract } from './presence-store.contract.js';

presenceStoreContract('Redis', redisPresence);

describe('a call that comes late', () => {
  let engine: Awaited<ReturnType<typeof redisPresence>>;
  let store: PresenceStore;
  beforeAll(async () => {
    engine = await redisPresence();
    store = new RedisPresenceStore(engine.links, engine.keys);
  });
  afterAll(() => engine.stop());

  const ROOM = 'chat:late';
  const sendLate = async (): Promise<unknown> => {
    const { state, users, clients, metas, coming, going, owners, dead, entries } = engine.keys.presence(ROOM);
    const keys = [state, users, clients, metas, coming, going, owners, dead, entries('a~0')];
    const validUntil = (await store.look()).now - 1;
    const args = ['a~0', engine.keys.room(ROOM).channel, 'PUBLISH', 0, validUntil, '+a.1', 'ann', ''];
    return PRESENCE_SCRIPTS.update.run(engine.links.commands, keys, args);
  };

  it('does nothing', async () => {
    expect(await sendLate()).toEqual(['late', expect.any(Number)]);
    expect(await engine.leftovers(ROOM)).toEqual([]);
  });

  it('is no matter for a store that has just begun, or whose clock differs', async () => {
    const changes = [{ client: 'a.1', user: 'ann' }];
    const fresh = new RedisPresenceStore(engine.links, engine.keys);
    fresh['offsets'].set(engine.links.commands, -1e9);
    for (const one of [new RedisPresenceStore(engine.links, engine.keys), fresh]) {
      expect(await one.update({ room: ROOM, owner: 'a~0', changes, pauseMs: 0 })).toEqual({ status: 'done' });
    }
    expect(await store.count(ROOM)).toBe(1);
  });
});

it('R41: who is in a room is neither read nor changed where a newer release keeps it in another form', async () => {
  const engine = await redisPresence();
  try {
    const store = new RedisPresenceStore(engine.links, engine.keys);
    const update = (client: string) =>
      store.update({ room: 'chat:new', owner: 'a~0', changes: [{ client, user: 'ann' }], pauseMs: 0 });
    await update('a.1');
    await engine.links.commands.hset(engine.keys.presence('chat:new').state, 'f', '2');
    const refusal = { failure: 'refused', message: expect.stringContaining('a newer release keeps') };
    await expect(update('a.2')).rejects.toMatchObject(refusal);
    await expect(store.list('chat:new', '', 10)).rejects.toMatchObject(refusal);
    const sweep = { room: 'chat:new', owner: 'a~0', goneAt: 0, pauseMs: 0 };
    await expect(store.sweep(sweep)).rejects.toMatchObject(refusal);
    expect(await store.count('chat:new')).toBe(1);
  } finally {
    await engine.stop();
  }
});

it('R41: what clients told ends in time where an older release empties the room', async () => {
  const engine = await redisPresence();
  try {
    const [room, owner] = ['chat:told', 'a~0'];
    const { told } = engine.keys.presence(room);
    const update = (changes: readonly PresenceChange[]): Promise<unknown> =>
      engine.store.update({ room, owner, changes, pauseMs: 0 });
    await update([{ client: 'a.1', user: 'ann', meta: '1' }]);
    const left = (): Promise<number> => engine.links.commands.pttl(told);
    expect(await left()).toBeGreaterThan(86_000_000);
    await engine.links.commands.pexpire(told, 60_000);
    await update([]);
    expect(await left()).toBeGreaterThan(86_000_000);
  } finally {
    await engine.stop();
  }
});
