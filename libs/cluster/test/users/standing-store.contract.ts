import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { NO_STANDING } from '@wss/core';
import type { StandingStore } from '../../src/index.js';
import { CLOCKS, withClock } from '../off-clocks.js';
import type { ClusterUnderTest, EngineUnderTest, NodeLinks } from '../engines.js';

const DAY = 86_400_000;
/** Users whose names take keys and messages apart, if anything does. */
const USERS = ['ann', 'a b', '{a}', 'a:b', '*', '\x01', '__proto__', 'ä€💥', '-', "'"];

export function standingStoreContract(name: string, start: () => Promise<EngineUnderTest>): void {
  describe(`standings of users on ${name}`, () => {
    let engine: EngineUnderTest;
    let cluster: ClusterUnderTest;
    let links: NodeLinks;
    let store: StandingStore;

    beforeAll(async () => void (engine = await start()));
    afterAll(() => engine.stop());
    beforeEach(async () => {
      cluster = engine.newCluster();
      links = await cluster.openNode({ nodeId: 'a' });
      store = links.standings;
    });
    afterEach(() => links.close());

    it('R34: are kept apart, whatever the names', async () => {
      expect(await store.of(USERS)).toEqual(USERS.map(() => NO_STANDING));
      expect(await store.of([])).toEqual([]);
      const revoked = new Map<string, number>();
      for (const user of USERS) revoked.set(user, (await store.revoke(user, DAY)).revokedAt);
      const found = await store.of([...USERS, 'nobody']);
      expect(found.map(({ revokedAt }) => revokedAt)).toEqual([...revoked.values(), undefined]);
    });

    it('R39: of several revocations the latest counts, also when an earlier one is repeated', async () => {
      const { revokedAt, history } = await store.revoke('ann', DAY);
      expect(history).not.toBe('');
      expect(await store.revoke('ann', DAY, revokedAt - 1_000)).toMatchObject({ revokedAt });
      expect(await store.revoke('ann', DAY, revokedAt + 1_000)).toMatchObject({
        revokedAt: revokedAt + 1_000,
      });
      expect(await store.of(['ann'])).toEqual([{ ...NO_STANDING, revokedAt: revokedAt + 1_000 }]);
    });

    it.each(CLOCKS)(
      "R30: a revocation is an instant of the engine, by a node's clock that is %s",
      (_what, offset) =>
        withClock(offset, async () => {
          const before = await cluster.now();
          const { revokedAt } = await store.revoke('ann', DAY);
          expect(revokedAt).toBeGreaterThanOrEqual(before);
          expect(revokedAt).toBeLessThanOrEqual(await cluster.now());
        }),
    );

    it('raise generations of a user above all others, those that the engine lost included', async () => {
      const seen: number[] = [];
      for (const which of ['newest', 'disconnected', 'newest', 'newest', 'disconnected'] as const) {
        const standing = await store.raise('ann', which);
        seen.push(standing[which]);
        expect(Math.max(standing.newest, standing.disconnected)).toBe(standing[which]);
      }
      await cluster.wipe();
      seen.push((await store.raise('ann', 'newest')).newest);
      expect(new Set(seen).size).toBe(seen.length);
      expect([...seen].sort((a, b) => a - b)).toEqual(seen);
    });

    it('R30: bring back a generation that was lost, and take none back', async () => {
      const { newest } = await store.raise('ann', 'newest');
      expect(await store.raise('ann', 'newest', newest - 5)).toMatchObject({ newest });
      expect(await store.raise('ann', 'newest', newest + 5)).toMatchObject({ newest: newest + 5 });
      expect(await store.revoke('ann', DAY)).toMatchObject({ newest: newest + 5, disconnected: 0 });
    });

    it('many at once each get another generation', async () => {
      const raised = await Promise.all(Array.from({ length: 50 }, () => store.raise('ann', 'newest')));
      expect(new Set(raised.map(({ newest }) => newest)).size).toBe(50);
      expect(await store.of(['ann'])).toEqual([
        { ...NO_STANDING, newest: Math.max(...raised.map(({ newest }) => newest)) },
      ]);
    });
  });
}
