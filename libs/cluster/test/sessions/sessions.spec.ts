import { afterEach, describe, expect, it } from '@jest/globals';
import { createHmac } from 'node:crypto';
import { MemoryEngine } from '@wss/state';
import { eventually } from '@wss/testing';
import { MemorySessionStore, type Session, type SessionOptions, SessionKeeper } from '../../src/index.js';

/** As long as an eighth of it never passes here. */
const TTL_MS = 3_600_000;

/** A store that tells which sessions were extended, and fails or waits for some. */
class WatchedStore extends MemorySessionStore {
  readonly extended: string[] = [];
  readonly broken = new Set<string>();
  readonly held = new Map<string, Promise<void>>();
  readonly tried: string[] = [];

  override async extend(
    session: Parameters<MemorySessionStore['extend']>[0],
    ttlMs: number,
  ): Promise<number> {
    const { id } = session;
    this.tried.push(id);
    await this.held.get(id);
    if (this.broken.has(id)) throw new Error('one master is out of reach');
    const end = await super.extend(session, ttlMs);
    this.extended.push(id);
    return end;
  }
}

describe('sessions of a node', () => {
  const opened: SessionKeeper[] = [];
  afterEach(() => {
    for (const sessions of opened.splice(0)) sessions.close();
  });

  async function start(
    options: SessionOptions = {},
  ): Promise<{ sessions: SessionKeeper; store: WatchedStore }> {
    const store = new WatchedStore(new MemoryEngine());
    const sessions = await SessionKeeper.start(store, { ttlMs: TTL_MS, ...options });
    opened.push(sessions);
    return { sessions, store };
  }
  const openMany = (sessions: SessionKeeper, count: number): Promise<Session[]> =>
    Promise.all(Array.from({ length: count }, async () => (await sessions.open('ann')).session));

  it('R7, R41: are resumed by tokens of the release before, which name neither start nor history', async () => {
    const { sessions } = await start();
    const { session } = await sessions.open('ann');
    const [key] = sessions.secrets.keys;
    const parts = [session.id, 1, session.endsAt, 'ann', key!.id];
    const claim = Buffer.from(JSON.stringify(parts)).toString('base64url');
    const signature = createHmac('sha256', key!.secret).update(claim).digest('base64url');
    const resumed = await sessions.open('ann', `${claim}.${signature}`);
    expect(resumed).toMatchObject({ resumed: true, session: { id: session.id } });
  });

  it('R6: one that can not be extended keeps no other from it, and is extended when it can be', async () => {
    const { sessions, store } = await start();
    const all = await openMany(sessions, 100);
    const bad = all[3]!.id;
    store.broken.add(bad);
    sessions.extendAll();
    await eventually(() => expect(store.extended).toHaveLength(99));
    await eventually(() => expect(store.tried.filter((id) => id === bad).length).toBeGreaterThan(1));
    expect(store.tried).toHaveLength(99 + store.tried.filter((id) => id === bad).length);
    store.broken.clear();
    await eventually(() => expect(store.extended).toContain(bad), { withinMs: 10_000 });
    expect(store.extended).toHaveLength(100);
  });

  it('R30: what a step of the clock finds under way is extended once more', async () => {
    const { sessions, store } = await start();
    const [session] = await openMany(sessions, 1);
    let release = (): void => undefined;
    store.held.set(session!.id, new Promise<void>((resolve) => (release = resolve)));
    sessions.extendAll();
    sessions.extendAll();
    release();
    await eventually(() => expect(store.extended).toEqual([session!.id, session!.id]));
  });

  it('R6: an answer that does not come holds up only few', async () => {
    const { sessions, store } = await start();
    const all = await openMany(sessions, 100);
    const never = new Promise<void>(() => undefined);
    for (const { id } of all.slice(0, 5)) store.held.set(id, never);
    sessions.extendAll();
    await eventually(() => expect(store.extended).toHaveLength(95));
    expect(store.tried).toHaveLength(100);
  });

  it('R29: keeps nothing of rooms with numbered commands that are forgotten', async () => {
    const { sessions } = await start({ laneIdleMs: 0 });
    const [session] = await openMany(sessions, 1);
    for (let round = 0; round < 5; round++) {
      const rooms = Array.from({ length: 50 }, (_, i) => `note:${round}-${i}`);
      await Promise.all(rooms.map((room) => sessions.prepareLane(session!, room)));
      expect(session!.provesLoss(rooms[0]!)).toBe(round === 0);
      await eventually(() => {
        sessions.extendAll();
        expect(session!.lanes.size).toBe(0);
      });
    }
    const kept = Object.values(session!).filter((value) => value instanceof Map || value instanceof Set);
    for (const { size } of kept) expect(size).toBe(0);
    expect(kept.length).toBeGreaterThan(1);
  });

  it('R7: a session that has forgotten rooms proves no loss after it was resumed', async () => {
    const { sessions } = await start({ laneIdleMs: 0 });
    const { session, token } = await sessions.open('ann');
    await sessions.prepareLane(session, 'note:1');
    await eventually(() => {
      sessions.extendAll();
      expect(session.hasLane('note:1')).toBe(false);
    });
    await sessions.prepareLane(session, 'note:1');
    expect(session.provesLoss('note:1')).toBe(false);
    const resumed = await sessions.open('ann', token);
    expect(resumed.session.hasLane('note:1')).toBe(true);
    expect(resumed.session.provesLoss('note:1')).toBe(false);
  });
});
