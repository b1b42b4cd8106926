import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '@wss/testing';
import { LiveContracts, type NodeRegistry } from '../../src/index.js';
import { captureLogs, releaseLogs } from '../captured-logs.js';
import type { ClusterUnderTest, EngineUnderTest, NodeLinks } from '../engines.js';

const LEASE = { heartbeatMs: 50, leaseMs: 800 };

export function nodeRegistryContract(name: string, start: () => Promise<EngineUnderTest>): void {
  describe(`node registry on ${name}`, () => {
    let engine: EngineUnderTest;
    let cluster: ClusterUnderTest;
    let links: [NodeLinks, NodeLinks, NodeLinks];

    beforeAll(async () => void (engine = await start()));
    afterAll(() => engine.stop());

    beforeEach(async () => {
      cluster = engine.newCluster();
      const open = (nodeId: string, startedAt: number): Promise<NodeLinks> =>
        cluster.openNode({ nodeId, startedAt, address: `${nodeId}:80`, ...LEASE });
      links = await Promise.all([open('b', 1), open('a', 2), open('c', 3)]);
    });
    afterEach(async () => {
      for (const link of links) {
        await link.setReachable(true);
        await link.registry.leave();
        await link.close();
      }
    });

    const [B, A, C] = ['b', 'a', 'c'];
    const idsSeenBy = async (registry: NodeRegistry): Promise<string[]> =>
      (await registry.alive()).map(({ nodeId }) => nodeId);
    const joinAll = (): Promise<void[]> => Promise.all(links.map(({ registry }) => registry.join()));

    it('lists the nodes that joined, the longest-running first', async () => {
      const [first] = links;
      expect(await first.registry.alive()).toEqual([]);
      expect(first.registry.holdsLease).toBe(false);
      await joinAll();
      for (const { registry } of links) expect(await idsSeenBy(registry)).toEqual([B, A, C]);
      expect(first.registry.holdsLease).toBe(true);
      expect((await first.registry.alive())[0]).toEqual({
        nodeId: B,
        startedAt: 1,
        address: 'b:80',
        packets: 1,
        rooms: 3,
      });
    });

    it('forgets a node that leaves at once, for as long as it does not join again', async () => {
      await joinAll();
      await links[1].registry.leave();
      expect(await idsSeenBy(links[0].registry)).toEqual([B, C]);
      expect(links[1].registry.holdsLease).toBe(false);
      await links[1].registry.join();
      expect(await idsSeenBy(links[0].registry)).toEqual([B, A, C]);
    });

    it('is not disturbed by a second join or leave', async () => {
      await Promise.all([links[0].registry.join(), links[0].registry.join()]);
      expect(await idsSeenBy(links[1].registry)).toEqual([B]);
      await Promise.all([links[0].registry.leave(), links[0].registry.leave()]);
      expect(await idsSeenBy(links[1].registry)).toEqual([]);
    });

    it('keeps a lease by heartbeats for longer than it lasts', async () => {
      await joinAll();
      const ends = performance.now() + 2 * LEASE.leaseMs;
      await eventually(async () => {
        expect(await idsSeenBy(links[0].registry)).toEqual([B, A, C]);
        expect(performance.now()).toBeGreaterThan(ends);
      });
    });

    it("ends leases by the engine's clock", async () => {
      await joinAll();
      const left = await cluster.leaseLeftMs(A!);
      expect(left).toBeGreaterThan(0);
      expect(left).toBeLessThanOrEqual(LEASE.leaseMs);
    });

    it('loses the lease of a node that is cut off, and gives it back under the same id', async () => {
      const [watcher, cut] = links;
      const changes: string[] = [];
      cut.registry.onLost(() => changes.push('lost'));
      cut.registry.onRenewed(() => changes.push('renewed'));
      await joinAll();
      await cut.setReachable(false);
      await eventually(async () => expect(await idsSeenBy(watcher.registry)).toEqual([B, C]));
      expect(cut.registry.holdsLease).toBe(false);
      await eventually(() => expect(changes).toEqual(['renewed', 'lost']));
      await cut.setReachable(true);
      await eventually(async () => expect(await idsSeenBy(watcher.registry)).toEqual([B, A, C]));
      await eventually(() => expect(cut.registry.holdsLease).toBe(true));
      await eventually(() => expect(changes).toEqual(['renewed', 'lost', 'renewed']));
    });

    it('never believes in a lease that the others see ended', async () => {
      const [watcher, cut] = links;
      await joinAll();
      await cut.setReachable(false);
      await eventually(async () => {
        const seen = await idsSeenBy(watcher.registry);
        expect(seen).not.toContain(A);
      });
      expect(cut.registry.holdsLease).toBe(false);
    });

    it('logs one line when heartbeats fail and one when they succeed again', async () => {
      const [, cut] = links;
      await joinAll();
      const lines = captureLogs();
      try {
        await cut.setReachable(false);
        await eventually(() => expect(cut.registry.holdsLease).toBe(false));
        await cut.setReachable(true);
        await eventually(() => expect(lines.some((line) => line.includes('succeed again'))).toBe(true));
      } finally {
        releaseLogs();
      }
      expect(lines.filter((line) => line.includes('heartbeats'))).toHaveLength(2);
    });

    it('tells when the engine lost the lease, and takes it again', async () => {
      const [first] = links;
      const changes: string[] = [];
      await joinAll();
      first.registry.onLost(() => changes.push('lost'));
      first.registry.onRenewed(() => changes.push('renewed'));
      await cluster.wipe();
      await eventually(() => expect(changes).toEqual(['lost', 'renewed']));
      await eventually(async () => expect(await idsSeenBy(first.registry)).toEqual([B, A, C]));
    });

    it('tells the others what clients may send to a node, and again when the engine lost it', async () => {
      const [first, second, third] = links;
      const contract = { events: [['b', 'note'] as const, ['a', null] as const], rooms: ['note'] };
      await first.registry.describe(contract);
      await joinAll();
      const { registry } = second;
      await registry.describe({ events: [...contract.events].reverse(), rooms: ['note'] });
      const hashes = async (): Promise<(string | undefined)[]> =>
        (await third.registry.alive()).map((node) => node.contract);
      const [hash] = await hashes();
      expect(await hashes()).toEqual([hash, hash, undefined]);
      const json = JSON.stringify({
        events: [
          ['a', null],
          ['b', 'note'],
        ],
        rooms: ['note'],
      });
      expect(await third.registry.contractOf(hash!)).toBe(json);
      expect(await third.registry.contractOf('other')).toBeUndefined();
      await cluster.wipe();
      await eventually(async () => {
        expect(await hashes()).toEqual([hash, hash, undefined]);
        expect(await third.registry.contractOf(hash!)).toBe(json);
      });
    });

    it('knows of others what they know and this one does not need to', async () => {
      const [first, second] = links;
      await joinAll();
      const contracts = new LiveContracts(first.registry);
      expect([await contracts.knows('a', 'note'), await contracts.knowsRooms('note')]).toEqual([
        false,
        false,
      ]);
      await first.registry.describe({ events: [['mine', null]], rooms: ['mine'] });
      await second.registry.describe({
        events: [
          ['a', 'note'],
          ['b', null],
        ],
        rooms: ['note'],
      });
      await eventually(async () => expect(await contracts.knows('a', 'note')).toBe(true));
      expect([await contracts.knows('a', 'memo'), await contracts.knows('a', undefined)]).toEqual([
        false,
        false,
      ]);
      expect([await contracts.knows('b', 'memo'), await contracts.knows('b', undefined)]).toEqual([
        true,
        true,
      ]);
      expect([await contracts.knowsRooms('note'), await contracts.knowsRooms('mine')]).toEqual([true, false]);
      expect(await contracts.knows('mine', undefined)).toBe(false);
      await second.registry.leave();
      await eventually(async () => expect(await contracts.knows('a', 'note')).toBe(false));
    });

    it('refuses to join while the engine is out of reach, and joins later', async () => {
      const [watcher, cut] = links;
      await cut.setReachable(false);
      await expect(cut.registry.join()).rejects.toThrow();
      expect(cut.registry.holdsLease).toBe(false);
      await cut.setReachable(true);
      await eventually(() => cut.registry.join());
      expect(await idsSeenBy(watcher.registry)).toEqual([A]);
    });

    it('leaves without an error while the engine is out of reach', async () => {
      const [watcher, cut] = links;
      await joinAll();
      await cut.setReachable(false);
      await cut.registry.leave();
      expect(cut.registry.holdsLease).toBe(false);
      await eventually(async () => expect(await idsSeenBy(watcher.registry)).toEqual([B, C]));
    });
  });
}
