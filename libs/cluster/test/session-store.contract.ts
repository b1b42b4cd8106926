import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '@wss/testing';
import type { ClaimedSession, SessionClaim, SessionStore } from '../src/index.js';
import type { ClusterUnderTest, EngineUnderTest, NodeLinks } from './engines.js';

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
    const idsOf = (sessions: ClaimedSession[]): string[] => sessions.map(({ id }) => id).sort();

    it('resumes a session with its rooms, and raises its generation', async () => {
      const claim = claimOf('s', now + 60_000);
      await store.create(claim);
      await store.addRoom('s', 'note:1');
      await store.addLane('s', 'note:2');
      expect(await store.resume(claim, now + 90_000)).toEqual({
        generation: 2,
        lanes: ['note:2'],
        rooms: ['note:1'],
      });
    });

    it("resumes no other user's session and none that is over; one that the engine lost it does", async () => {
      await store.create(claimOf('s', now + 60_000));
      await store.create(claimOf('over', now - 1));
      expect(await store.resume(claimOf('s', now + 60_000, 'bob'), now + 90_000)).toBeUndefined();
      expect(await store.resume(claimOf('over', now + 60_000), now + 90_000)).toBeUndefined();
      expect(await store.resume(claimOf('lost', now + 60_000), now + 90_000)).toMatchObject({
        generation: 2,
      });
      expect(await store.resume(claimOf('lost and over', now - 1), now + 90_000)).toBeUndefined();
    });

    it('lets one node claim each session whose end has passed, with its user', async () => {
      for (const id of ['1', '2', '3']) await store.create(claimOf(id, now - 1));
      await store.create(claimOf('lives', now + 60_000));
      const claims = await Promise.all([store.claimEnded(2), store.claimEnded(2), store.claimEnded(2)]);
      expect(idsOf(claims.flat())).toEqual(['1', '2', '3']);
      for (const { user } of claims.flat()) expect(user).toBe('ann of x');
    });

    it('gives a claimed session to another node when the claim has ended, until it is forgotten', async () => {
      await store.create(claimOf('s', now - 1));
      const [first] = await store.claimEnded(10, 50);
      const [second] = await eventually(async () => {
        const claimed = await store.claimEnded(10);
        expect(idsOf(claimed)).toEqual(['s']);
        return claimed;
      });
      await store.forget(first!);
      await store.forget(second!);
      expect(await store.claimEnded(10, 1)).toEqual([]);
    });

    it('forgets only what nobody else has claimed since', async () => {
      await store.create(claimOf('s', now - 1));
      const [first] = await store.claimEnded(10, 1);
      await eventually(async () => expect(await store.claimEnded(10, 50)).toHaveLength(1));
      await store.forget(first!);
      await eventually(async () => expect(await store.claimEnded(10)).toHaveLength(1));
    });

    it('lets nobody claim a session that went on', async () => {
      const resumed = claimOf('resumed', now + 300);
      const extended = claimOf('extended', now + 300);
      for (const each of [resumed, extended, claimOf('gone', now + 300)]) await store.create(each);
      await store.resume(resumed, now + 60_000);
      await store.extend(extended, now + 60_000);
      await eventually(async () => expect(idsOf(await store.claimEnded(10))).toEqual(['gone']));
      expect(await store.claimEnded(10)).toEqual([]);
    });

    it('keeps a session that is extended after it was claimed', async () => {
      await store.create(claimOf('s', now - 1));
      const [claimed] = await store.claimEnded(10);
      await store.extend(claimOf('s', now - 1), now + 60_000);
      await store.forget(claimed!);
      expect(await store.resume(claimOf('s', now + 60_000), now + 90_000)).toMatchObject({
        generation: expect.any(Number),
      });
    });
  });
}
