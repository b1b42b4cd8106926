import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { eventually } from '@wss/testing';
import { ClusterPresence, NodePresence } from '../../src/index.js';
import type { PresenceDelta } from '../../src/rooms/room-message.js';
import { announcementsOf, fold, LEASE, type PresenceEngine, type PresenceLinks } from './presence-engines.js';

/** As long as deaths, graces and slow machines need. */
const PATIENT = { withinMs: 20_000 };
const TIMES = { graceMs: 400, pauseMs: 20, lingerMs: 100, reconcileMs: 60_000 };

/** One node's presence with its own way to the engine. */
interface TestNode extends PresenceLinks {
  readonly id: string;
  readonly presence: NodePresence;
  readonly reader: ClusterPresence;
  /** The process is gone from one moment to the next. */
  die(): Promise<void>;
}

/** A node's part of presence, on any engine. */
export function nodePresenceContract(name: string, start: () => Promise<PresenceEngine>): void {
  describe(`the presence of nodes on ${name}`, () => {
    let engine: PresenceEngine;
    let room: string;
    let deltas: PresenceDelta[];
    let nodes: TestNode[] = [];

    beforeAll(async () => {
      engine = await start();
    });
    afterAll(() => engine?.stop());
    beforeEach(async () => {
      room = `chat:${randomUUID()}`;
      deltas = await engine.hear(room);
    });
    afterEach(async () => {
      for (const node of nodes.splice(0)) await node.die();
    });

    const openNode = async (times: object = {}): Promise<TestNode> => {
      const id = randomUUID().slice(0, 8);
      const links = await engine.openNode(id);
      const { store, registry } = links;
      const presence = new NodePresence({ store, registry, ...LEASE, ...TIMES, ...times });
      const reader = new ClusterPresence(presence, store, () => true);
      const die = async (): Promise<void> => {
        await links.setReachable(false);
        await Promise.all([presence.close(), registry.leave()]);
        await links.close();
      };
      const node = { ...links, id, presence, reader, die };
      nodes.push(node);
      await registry.join();
      presence.start();
      return node;
    };
    const enter = (node: TestNode, client: string, user: string): void =>
      node.reader.entered(room, { id: `${node.id}.${client}`, user });
    const cutOff = (node: TestNode, client: string): void => node.reader.cutOff(room, `${node.id}.${client}`);
    const left = (node: TestNode, client: string): void => node.reader.left(room, `${node.id}.${client}`);
    const usersNow = async (): Promise<string[]> =>
      (await engine.store.list(room, '', 500)).users.map(({ user }) => user);
    const usersAre = (users: readonly string[]): Promise<void> =>
      eventually(async () => expect(await usersNow()).toEqual(users), PATIENT);
    const heard = (users: readonly string[]): Promise<void> =>
      eventually(() => expect(fold(deltas)).toEqual(users), PATIENT);

    it('brings what clients do to the engine, and lets readers see what was before them', async () => {
      const node = await openNode();
      enter(node, '1', 'ann');
      enter(node, '2', 'bob');
      // A reader waits a second at most, which is not always enough on a busy machine.
      await eventually(async () => expect(await node.reader.of(room).count()).toBe(2));
      left(node, '1');
      const page = { count: 1, users: [{ user: 'bob' }] };
      await eventually(async () => expect(await node.reader.of(room).list({ limit: 1 })).toMatchObject(page));
      await heard(['bob']);
    });

    it('brings to the engine what a client tells when it joins again', async () => {
      const node = await openNode();
      const tells = (meta: object): void => {
        node.reader.entered(room, { id: `${node.id}.1`, user: 'ann' }, meta);
      };
      const announced = (v: number): Promise<void> =>
        eventually(() => {
          expect(deltas.flatMap(({ joined }) => joined)).toContainEqual({ user: 'ann', meta: { v } });
        }, PATIENT);
      tells({ v: 1 });
      await announced(1);
      tells({ v: 2 });
      tells({ v: 2 });
      await announced(2);
      left(node, '1');
      tells({ v: 3 });
      await announced(3);
      expect((await node.reader.of(room).list()).users).toEqual([{ user: 'ann', meta: { v: 3 } }]);
      expect(announcementsOf(deltas, 'ann').joined).toBe(3);
      left(node, '1');
      await heard([]);
    });

    it('forgets nobody who comes and goes faster than the engine learns of it', async () => {
      const node = await openNode();
      enter(node, '1', 'ann');
      await node.presence.settled(room);
      for (let i = 0; i < 3; i++) {
        left(node, '1');
        enter(node, '1', 'ann');
      }
      left(node, '1');
      await node.presence.settled(room);
      await heard([]);
      await usersAre([]);
    });

    it('asks for one more announcement when some may have been missed', async () => {
      const node = await openNode();
      enter(node, '1', 'ann');
      await heard(['ann']);
      const [{ version }] = deltas as [PresenceDelta];
      node.presence.heardAgain(() => true);
      const next = { version: version + 1, joined: [], left: [] };
      await eventually(() => expect(deltas).toEqual([expect.anything(), next]), PATIENT);
      enter(node, '2', 'bob');
      await heard(['ann', 'bob']);
      expect(deltas).toHaveLength(3);
    });

    it('R35: lets another announcement follow those that were refused', async () => {
      const node = await openNode();
      enter(node, '1', 'ann');
      await heard(['ann']);
      const [{ version }] = deltas as [PresenceDelta];
      await engine.refusePublications(true);
      enter(node, '2', 'bob');
      await eventually(async () => {
        expect((await engine.store.list(room, '', 9)).version).toBeGreaterThan(version);
      }, PATIENT);
      await engine.refusePublications(false);
      // Clients take a bigger step for a reason to read the list.
      await eventually(() => expect(deltas.at(-1)!.version).toBeGreaterThan(version + 1), PATIENT);
      const { version: last } = await engine.store.list(room, '', 9);
      expect(deltas.at(-1)).toEqual({ version: last, joined: [], left: [] });
    });

    it('R21: cleans up behind a dead node once, whoever else is alive', async () => {
      const [first, second, third] = [await openNode(), await openNode(), await openNode()];
      for (let i = 0; i < 50; i++) enter(third, `${i}`, `u${i % 25}`);
      enter(first, '1', 'u3');
      enter(second, '1', 'ann');
      await eventually(() => expect(fold(deltas)).toHaveLength(26), PATIENT);
      await third.die();
      await usersAre(['ann', 'u3']);
      await heard(['ann', 'u3']);
      expect(announcementsOf(deltas, 'u3')).toEqual({ joined: 1, left: 0 });
      for (let i = 0; i < 25; i++) {
        if (i !== 3) expect(announcementsOf(deltas, `u${i}`)).toEqual({ joined: 1, left: 1 });
      }
    });

    it('R21: announces what a node left to be announced when it died', async () => {
      const [first, second] = [await openNode(), await openNode()];
      enter(first, '1', 'ann');
      await first.presence.settled(room);
      cutOff(first, '1');
      await first.presence.settled(room);
      await first.die();
      await heard([]);
      expect(announcementsOf(deltas, 'ann')).toEqual({ joined: 1, left: 1 });
      await eventually(() => expect(second.presence.size).toBe(0), PATIENT);
    });

    it('R21: takes nobody for dead because all leases have ended, or the history is another', async () => {
      const [first, second] = [await openNode(), await openNode()];
      enter(first, '1', 'ann');
      enter(second, '1', 'bob');
      await heard(['ann', 'bob']);
      for (const fault of [() => engine.endLeases(), () => engine.newHistory()]) {
        await fault();
        // Only after two lease periods deaths are looked for again: this one is found, and no other before.
        const third = await openNode();
        enter(third, '1', 'cid');
        await heard(['ann', 'bob', 'cid']);
        await third.die();
        await heard(['ann', 'bob']);
      }
      for (const user of ['ann', 'bob'])
        expect(announcementsOf(deltas, user)).toEqual({ joined: 1, left: 0 });
    });

    it('R21: brings everything in again under a new incarnation after it was taken for dead', async () => {
      const [first, second] = [await openNode(), await openNode()];
      enter(first, '1', 'ann');
      enter(second, '1', 'bob');
      await heard(['ann', 'bob']);
      const { owner } = first.presence;
      await first.setReachable(false);
      await heard(['bob']);
      enter(first, '2', 'cid');
      await first.setReachable(true);
      await heard(['ann', 'bob', 'cid']);
      expect(first.presence.owner).not.toBe(owner);
      await eventually(async () => {
        const { owners } = await engine.store.inspect(room, owner);
        expect([...owners].sort()).toEqual([first.presence.owner, second.presence.owner].sort());
      }, PATIENT);
      expect(announcementsOf(deltas, 'bob')).toEqual({ joined: 1, left: 0 });
    });

    it('R21: compares its entries with the engine when the history is another', async () => {
      const node = await openNode();
      enter(node, '1', 'ann');
      await heard(['ann']);
      await engine.checkpoint();
      enter(node, '2', 'bob');
      left(node, '1');
      await heard(['bob']);
      await engine.loseSinceCheckpoint();
      await usersAre(['bob']);
      await heard(['bob']);
    });

    it('R21: leaves nobody behind who told something else of itself and left in an outage', async () => {
      const node = await openNode();
      const tells = (client: string, v: number): void => {
        node.reader.entered(room, { id: `${node.id}.${client}`, user: `u${client}` }, { v });
      };
      for (const client of ['1', '2', '3']) tells(client, 1);
      await heard(['u1', 'u2', 'u3']);
      await node.setReachable(false);
      for (const client of ['1', '2', '3']) tells(client, 2);
      left(node, '1');
      cutOff(node, '2');
      await node.setReachable(true);
      await usersAre(['u3']);
      await heard(['u3']);
      const { users } = await engine.store.list(room, '', 9);
      expect(users).toEqual([{ user: 'u3', meta: '{"v":2}' }]);
    });

    it('R21: tells again what a client told of itself when a failover lost it', async () => {
      const node = await openNode();
      const told = (v: number): Promise<void> =>
        eventually(async () => {
          const { users } = await engine.store.list(room, '', 9);
          expect(users).toEqual([{ user: 'ann', meta: JSON.stringify({ v }) }]);
        }, PATIENT);
      for (const v of [1, 2]) {
        node.reader.entered(room, { id: `${node.id}.1`, user: 'ann' }, { v });
        await told(v);
        if (v === 1) await engine.checkpoint();
      }
      await engine.loseSinceCheckpoint();
      await told(2);
    });

    it('R21: has the room in its list before the first entry, and takes it out last', async () => {
      const node = await openNode();
      const { owner } = node.presence;
      const seen: string[] = [];
      const { addRoom, update, removeRoom } = node.store;
      Object.assign(node.store, {
        addRoom: (...args: Parameters<typeof addRoom>) => {
          seen.push('add');
          return addRoom.apply(node.store, args);
        },
        update: (...args: Parameters<typeof update>) => {
          if (args[0].changes.length > 0) seen.push('user' in args[0].changes[0]! ? 'enter' : 'leave');
          return update.apply(node.store, args);
        },
        removeRoom: (...args: Parameters<typeof removeRoom>) => {
          seen.push('remove');
          return removeRoom.apply(node.store, args);
        },
      });
      enter(node, '1', 'ann');
      await heard(['ann']);
      expect(await engine.store.roomsOf(owner, 10)).toEqual([room]);
      left(node, '1');
      await eventually(async () => expect(await engine.store.roomsOf(owner, 10)).toEqual([]), PATIENT);
      expect(seen).toEqual(['add', 'enter', 'leave', 'remove']);
      await eventually(() => expect(node.presence.size).toBe(0), PATIENT);
    });

    it('goes on after an outage with what happened in it', async () => {
      const node = await openNode();
      enter(node, '1', 'ann');
      await heard(['ann']);
      await node.setReachable(false);
      enter(node, '2', 'bob');
      left(node, '1');
      await expect(node.reader.of(room).count()).rejects.toMatchObject({ code: 'unavailable' });
      await node.setReachable(true);
      await heard(['bob']);
    });

    it('tells presence of rooms whose kind does not show it that there is none', async () => {
      const node = await openNode();
      const hidden = new ClusterPresence(node.presence, node.store, () => false);
      expect(() => hidden.of(room)).toThrow('declare it with presence: true');
      hidden.entered(room, { id: 'x', user: 'ann' });
      await node.presence.settled(room);
      expect(await usersNow()).toEqual([]);
    });
  });
}
