import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ENDED_GENERATION } from '@wss/core';
import { eventually } from '@wss/testing';
import { type SessionStore, SessionKeeper } from '../../src/index.js';
import type { ClaimedSession, CreatedRecord, SessionClaim } from '../../src/sessions/session-store.js';
import { CLOCKS, withClock } from '../off-clocks.js';
import type { ClusterUnderTest, EngineUnderTest, NodeLinks } from '../engines.js';

export function sessionStoreContract(name: string, start: () => Promise<EngineUnderTest>): void {
  describe(`session store on ${name}`, () => {
    let engine: EngineUnderTest;
    let cluster: ClusterUnderTest;
    let links: NodeLinks;
    let store: SessionStore;
    let now: number;

    beforeAll(async () => void (engine = await start()));
    afterAll(() => engine.stop());
    beforeEach(async () => {
      cluster = engine.newCluster();
      links = await cluster.openNode({ nodeId: 'a' });
      store = links.sessions;
      now = await cluster.now();
    });
    afterEach(() => links.close());

    const claimOf = (id: string, endsAt: number, user = 'ann of x'): SessionClaim => ({
      id,
      user,
      generation: 1,
      endsAt,
    });
    const create = (claim: SessionClaim): Promise<CreatedRecord> => store.create(claim, claim.endsAt - now);
    const claimEnded = async (most: number, claimMs?: number): Promise<ClaimedSession[]> => [
      ...(await store.claimEnded(most, claimMs)).sessions,
    ];
    const laterThan = (at: number): Promise<void> =>
      eventually(async () => expect(await cluster.now()).toBeGreaterThan(at + 1));
    const idsOf = (sessions: ClaimedSession[]): string[] => sessions.map(({ id }) => id).sort();

    it('resumes a session with its rooms, and raises its generation', async () => {
      const claim = claimOf('s', now + 60_000);
      await create(claim);
      await store.addRoom('s', 'note:1');
      await store.addLane('s', 'note:2');
      expect(await store.resume(claim, 90_000)).toEqual({
        generation: 2,
        endsAt: expect.any(Number),
        lanes: ['note:2'],
        rooms: ['note:1'],
        startedAt: expect.any(Number),
        history: expect.any(String),
      });
    });

    it('knows whose a session is, and its rooms until it is ended', async () => {
      await create(claimOf('s', now + 60_000));
      await store.addRoom('s', 'note:1');
      expect(await store.membershipsOf('s')).toEqual({ user: 'ann of x', rooms: ['note:1'] });
      await store.end('s');
      expect(await store.membershipsOf('s')).toEqual({ user: 'ann of x', rooms: [] });
      expect(await store.membershipsOf('unknown')).toEqual({ rooms: [] });
    });

    it('R7: makes no session again that was removed on the history that its token names', async () => {
      const claim = claimOf('s', now + 60_000);
      const record = await create(claim);
      await cluster.removeSession('s');
      expect(await store.resume({ ...claim, ...record }, 90_000)).toBeUndefined();
      // Redis has lost it since, or the token is of an older release.
      expect(await store.resume({ ...claim, ...record, history: 'another' }, 90_000)).toMatchObject({
        startedAt: record.startedAt,
        history: record.history,
      });
      await cluster.removeSession('s');
      expect(await store.resume(claim, 90_000)).toMatchObject({ history: record.history });
    });

    it('R7: resumes no session that began before its user was revoked, whatever Redis lost', async () => {
      const claim = claimOf('s', now + 60_000);
      const { startedAt, history } = await create(claim);
      const known = { ...claim, startedAt, history };
      expect(await store.resume(known, 90_000, startedAt)).toBeUndefined();
      expect(await store.resume(known, 90_000, startedAt - 1)).toMatchObject({ startedAt });
      await cluster.removeSession('s');
      const lost = { ...known, history: 'another' };
      expect(await store.resume(lost, 90_000, startedAt)).toBeUndefined();
      expect(await store.resume({ ...claim, history: 'another' }, 90_000, startedAt)).toBeUndefined();
      expect(await store.resume(lost, 90_000, startedAt - 1)).toMatchObject({ startedAt });
    });

    it('ends a session for good, and has its end told once', async () => {
      const claim = claimOf('s', now + 60_000);
      const { startedAt, history } = await create(claim);
      await store.addRoom('s', 'note:1');
      expect(await store.end('s', startedAt - 1)).toEqual({ user: 'ann of x', isEnded: false, history });
      expect(await store.resume(claim, 90_000)).toBeDefined();
      expect(await store.end('s', startedAt)).toEqual({ user: 'ann of x', isEnded: true, history });
      expect(await store.end('s')).toEqual({ user: 'ann of x', isEnded: true, history });
      expect(await store.resume({ ...claim, history: 'another' }, 90_000)).toBeUndefined();
      expect(await store.extend(claim, 60_000)).toBe(0);
      expect(await store.generations(['s'])).toEqual([ENDED_GENERATION]);
      const [told] = await eventually(async () => {
        const claimed = await claimEnded(10);
        expect(idsOf(claimed)).toEqual(['s']);
        return claimed;
      });
      await store.end('s');
      expect(await claimEnded(10)).toEqual([]);
      await store.forget(told!);
      await store.end('s');
      expect(await claimEnded(10)).toEqual([]);
      expect(await store.resume({ ...claim, history: 'another' }, 90_000)).toBeUndefined();
    });

    it('ends a session that it does not know, so that no token makes it again', async () => {
      expect(await store.end('s')).toMatchObject({ isEnded: true });
      const lost = { ...claimOf('s', now + 60_000), history: 'another' };
      expect(await store.resume(lost, 90_000)).toBeUndefined();
      expect(await claimEnded(10)).toEqual([]);
    });

    it('finds the sessions of users among many', async () => {
      const users = ['ann', 'ann ', 'an', '*', 'a?n', '[ann]', 'x ann', 'b\\n'];
      const all = Array.from({ length: 300 }, (_, i) =>
        claimOf(`s${i}`, now + 60_000, users[i % users.length]),
      );
      await Promise.all(all.map(create));
      for (const wanted of [...users.map((user) => [user]), users.slice(0, 2), ['nobody']]) {
        const found = new Set<string>();
        for await (const part of store.sessionsOf(new Set(wanted)))
          for (const { id, user } of part) if (wanted.includes(user)) found.add(id);
        const expected = all.filter(({ user }) => wanted.includes(user)).map(({ id }) => id);
        expect([...found].sort()).toEqual(expected.sort());
      }
    });

    it.each(['a b c', ' a', 'a|b', 'a\nb', '\x01\x02', '\x00', '{a}', '%1', '__proto__', 'ä€💥', '-'])(
      'R34: keeps the session of a user %j apart from all others',
      async (user) => {
        const claim = claimOf('s', now + 60_000, user);
        await create(claim);
        expect(await store.resume({ ...claim, user: `${user} ` }, 90_000)).toBeUndefined();
        expect(await store.resume(claim, 90_000)).toMatchObject({ generation: 2 });
        await create(claimOf('over', now - 1, user));
        expect((await claimEnded(10)).map((session) => [session.id, session.user])).toEqual([['over', user]]);
      },
    );

    it('tells the generations of sessions, of each that it knows', async () => {
      const claim = claimOf('s', now + 60_000);
      await create(claim);
      await create(claimOf('other', now + 60_000));
      await store.resume(claim, 90_000);
      expect(await store.generations(['s', 'unknown', 'other'])).toEqual([2, undefined, 1]);
      expect(await store.generations([])).toEqual([]);
    });

    it('R29: resumes a session with numbered commands in very many rooms', async () => {
      const claim = claimOf('s', now + 60_000);
      await create(claim);
      const rooms = Array.from({ length: 1_500 }, (_, i) => `note:${i}`);
      await Promise.all(rooms.map((room) => store.addLane('s', room)));
      const { lanes = [] } = (await store.resume(claim, 90_000)) ?? {};
      expect([...lanes].sort()).toEqual([...rooms].sort());
      expect(await store.extend(claim, 60_000)).toBeGreaterThan(now);
    });

    it('R29: extends what a session has accumulated once in an eighth of its time, however often it resumes', async () => {
      const claim = claimOf('s', now + 60_000);
      await create(claim);
      const resumed = async (ttlMs: number): Promise<number> => (await store.resume(claim, ttlMs))!.endsAt;
      // The records of its commands were never extended.
      await laterThan(await cluster.now());
      const end = await resumed(60_000);
      expect(end).toBeGreaterThan(claim.endsAt);
      await laterThan(await cluster.now());
      expect(await resumed(60_000)).toBe(end);
      // It was moved without the records.
      const moved = await store.extend(claim, 60_000);
      await laterThan(await cluster.now());
      expect(await resumed(60_000)).toBeGreaterThan(moved);
      // More than an eighth is missing, or it lies too far ahead.
      expect(await resumed(90_000)).toBeGreaterThan(end + 20_000);
      expect(await resumed(60_000)).toBeLessThan(end + 20_000);
    });

    it('R29: forgets numbered commands in rooms that the session left, and remembers that it did', async () => {
      const claim = claimOf('s', now + 60_000);
      await create(claim);
      for (const room of ['note:1', 'note:2', 'note:3']) await store.addLane('s', room);
      await store.addRoom('s', 'note:2');
      expect(await store.forgetLanes('s', ['note:1', 'note:2'])).toEqual(['note:1']);
      const resumed = await store.resume(claim, 90_000);
      expect([...(resumed?.lanes ?? [])].sort()).toEqual(['note:2', 'note:3']);
      expect(resumed).toMatchObject({ hasForgotten: true });
    });

    it("resumes no other user's session and none that is over; one that the engine lost it does", async () => {
      await create(claimOf('s', now + 60_000));
      await create(claimOf('over', now - 1));
      expect(await store.resume(claimOf('s', now + 60_000, 'bob'), 90_000)).toBeUndefined();
      expect(await store.resume(claimOf('over', now + 60_000), 90_000)).toBeUndefined();
      expect(await store.resume(claimOf('lost', now + 60_000), 90_000)).toMatchObject({
        generation: 2,
      });
      expect(await store.resume(claimOf('lost and over', now - 1), 90_000)).toBeUndefined();
    });

    it('lets one node claim each session whose end has passed, with its user', async () => {
      for (const id of ['1', '2', '3']) await create(claimOf(id, now - 1));
      await create(claimOf('lives', now + 60_000));
      const claims = await Promise.all([claimEnded(2), claimEnded(2), claimEnded(2)]);
      expect(idsOf(claims.flat())).toEqual(['1', '2', '3']);
      for (const { user } of claims.flat()) expect(user).toBe('ann of x');
    });

    it('gives a claimed session to another node when the claim has ended, until it is forgotten', async () => {
      await create(claimOf('s', now - 1));
      const [first] = await claimEnded(10, 50);
      const [second] = await eventually(async () => {
        const claimed = await claimEnded(10);
        expect(idsOf(claimed)).toEqual(['s']);
        return claimed;
      });
      await store.forget(first!);
      await store.forget(second!);
      expect(await claimEnded(10, 1)).toEqual([]);
    });

    it('forgets only what nobody else has claimed since', async () => {
      await create(claimOf('s', now - 1));
      const [first] = await claimEnded(10, 1);
      await eventually(async () => expect(await claimEnded(10, 50)).toHaveLength(1));
      await store.forget(first!);
      await eventually(async () => expect(await claimEnded(10)).toHaveLength(1));
    });

    it('lets nobody claim a session that went on', async () => {
      const endsAt = now + 2_000;
      const [resumed, extended] = [claimOf('resumed', endsAt), claimOf('extended', endsAt)];
      for (const each of [resumed, extended, claimOf('gone', now - 1)]) await create(each);
      await store.resume(resumed, 60_000);
      await store.extend(extended, 60_000);
      await laterThan(endsAt);
      expect(idsOf(await claimEnded(10))).toEqual(['gone']);
      expect(await claimEnded(10)).toEqual([]);
    });

    it('keeps a session that is extended after it was claimed', async () => {
      await create(claimOf('s', now - 1));
      const [claimed] = await claimEnded(10);
      await store.extend(claimOf('s', now - 1), 60_000);
      await store.forget(claimed!);
      expect(await store.resume(claimOf('s', now + 60_000), 90_000)).toMatchObject({
        generation: expect.any(Number),
      });
    });

    it('resumes no session that a node could claim as over, not even in the millisecond of its end', async () => {
      const revived: number[] = [];
      for (let round = 0; round < 200; round++) {
        const id = `round-${round}`;
        const { endsAt } = await store.create(claimOf(id, 0), round % 4);
        const claim = claimOf(id, endsAt);
        while (!idsOf(await claimEnded(10)).includes(id));
        if (await store.resume(claim, 60_000)) revived.push(round);
      }
      expect(revived).toEqual([]);
    });

    it.each(CLOCKS)(
      'R30: a session lives as long as it should from a node whose clock is %s',
      (_what, offset) =>
        withClock(offset, async () => {
          const [near, far] = await Promise.all(
            [1, 2].map(() => SessionKeeper.start(store, { ttlMs: 60_000 })),
          );
          const { session, token } = await near!.open('ann');
          expect(session.endsAt - (await cluster.now())).toBeGreaterThan(55_000);
          expect(session.endsAt - (await cluster.now())).toBeLessThanOrEqual(60_000);
          const again = await far!.open('ann', token);
          expect(again.resumed).toBe(true);
          expect(again.session.endsAt - (await cluster.now())).toBeGreaterThan(55_000);
          expect(await store.extend(session, 60_000)).toBeGreaterThan((await cluster.now()) + 55_000);
          expect(await claimEnded(10)).toEqual([]);
          for (const sessions of [near, far]) sessions!.close();
        }),
    );

    it.each(CLOCKS)("R30: a session is over when it should be where a node's clock is %s", (_what, offset) =>
      withClock(offset, async () => {
        const sessions = await SessionKeeper.start(store, { ttlMs: 200 });
        const { session, token } = await sessions.open('ann');
        sessions.close();
        await eventually(async () => expect(idsOf(await claimEnded(10))).toEqual([session.id]));
        expect(await sessions.open('ann', token)).toMatchObject({ resumed: false });
      }),
    );
  });
}
