import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { eventually } from '@wss/testing';
import type { PresenceStore } from '../../src/index.js';
import type { PresenceChange, PresenceUpdated } from '../../src/presence/presence-store.js';
import type { PresenceDelta } from '../../src/rooms/room-message.js';
import { announcementsOf, fold, type PresenceEngine } from './presence-engines.js';

/** Where presence is kept, on any engine. */
export function presenceStoreContract(name: string, start: () => Promise<PresenceEngine>): void {
  describe(`presence store on ${name}`, () => {
    let engine: PresenceEngine;
    let store: PresenceStore;
    let room: string;
    let deltas: PresenceDelta[];

    beforeAll(async () => {
      engine = await start();
      ({ store } = engine);
    });
    afterAll(() => engine?.stop());
    beforeEach(async () => {
      room = `chat:${randomUUID()}`;
      deltas = await engine.hear(room);
    });

    const update = (
      owner: string,
      changes: readonly PresenceChange[] = [],
      pauseMs = 0,
    ): Promise<PresenceUpdated> => store.update({ room, owner, changes, pauseMs });
    const enter = (client: string, user: string, meta?: string): PresenceChange => ({
      client,
      user,
      ...(meta !== undefined && { meta }),
    });
    const leave = (client: string, graceMs = 0): PresenceChange => ({ client, graceMs });
    const usersNow = async (): Promise<string[]> =>
      (await store.list(room, '', 500)).users.map(({ user }) => user);
    /** Proves that nothing else is announced: this comes after everything before it. */
    const marker = async (): Promise<void> => {
      const user = `marker-${randomUUID()}`;
      await update('m~0', [enter(user, user)]);
      await eventually(() => expect(announcementsOf(deltas, user).joined).toBe(1));
    };

    it('announces the first entry of a user and the end of the last, once each', async () => {
      await update('a~0', [enter('a.1', 'ann'), enter('a.2', 'ann')]);
      await update('b~0', [enter('b.1', 'ann'), enter('b.2', 'bob')]);
      await update('a~0', [leave('a.1')]);
      await update('b~0', [leave('b.1')]);
      expect(await usersNow()).toEqual(['ann', 'bob']);
      await update('a~0', [leave('a.2')]);
      expect(await usersNow()).toEqual(['bob']);
      await marker();
      expect(deltas.slice(0, -1)).toEqual([
        { version: expect.any(Number), joined: [{ user: 'ann' }], left: [] },
        { version: deltas[0]!.version + 1, joined: [{ user: 'bob' }], left: [] },
        { version: deltas[0]!.version + 2, joined: [], left: ['ann'] },
      ]);
    });

    it('changes nothing when a call is repeated, and never creates anything by a leave', async () => {
      await update('a~0', [leave('a.9')]);
      expect(await engine.leftovers(room)).toEqual([]);
      for (let i = 0; i < 2; i++) await update('a~0', [enter('a.1', 'ann')]);
      await update('b~0', [leave('a.1')]);
      for (let i = 0; i < 2; i++) await update('a~0', [leave('a.1')]);
      await marker();
      expect(announcementsOf(deltas, 'ann')).toEqual({ joined: 1, left: 1 });
    });

    it('announces that nothing changed, for clients that may have missed something, unless there was one since', async () => {
      const missed = (heardForMs: number, pauseMs = 0): Promise<PresenceUpdated> =>
        store.update({ room, owner: 'a~0', changes: [], pauseMs, heardForMs });
      await missed(0);
      expect(await engine.leftovers(room)).toEqual([]);
      await update('a~0', [enter('a.1', 'ann')]);
      expect(await missed(50_000)).toEqual({ status: 'done' });
      await eventually(async () => {
        await missed(0);
        expect(deltas.length).toBeGreaterThan(1);
      });
      const [first, second] = deltas;
      expect(second).toEqual({ version: first!.version + 1, joined: [], left: [] });
      await marker();
      const count = deltas.length;
      await eventually(async () => {
        expect(await missed(0, 50_000)).toEqual({ status: 'done', dueInMs: expect.any(Number) });
      });
      await marker();
      expect(deltas).toHaveLength(count + 1);
    });

    it('R35: keeps what an announcement would tell that is refused, and shows by its version that one is missing', async () => {
      const refused = { status: 'done', isRefused: true };
      await update('a~0', [enter('a.1', 'ann')]);
      await engine.refusePublications(true);
      expect(await update('a~0', [enter('a.2', 'bob', '{"x":1}'), leave('a.1')])).toEqual(refused);
      expect((await store.list(room, '', 9)).users).toEqual([{ user: 'bob', meta: '{"x":1}' }]);
      expect(await update('a~0', [leave('a.2')])).toEqual(refused);
      expect(await engine.leftovers(room)).toEqual([]);
      await update('a~0', [enter('a.3', 'cid')]);
      expect((await store.sweep({ room, owner: 'b~0', goneAt: 0, pauseMs: 0 })).more).toBe(false);
      await engine.refusePublications(false);
      await update('a~0', [enter('a.4', 'dan')]);
      await marker();
      expect(deltas.slice(0, 2)).toEqual([
        { version: expect.any(Number), joined: [{ user: 'ann' }], left: [] },
        { version: expect.any(Number), joined: [{ user: 'dan' }], left: [] },
      ]);
      expect(deltas[1]!.version).toBeGreaterThan(deltas[0]!.version + 1);
    });

    it('keeps nothing of a room that everybody has left', async () => {
      await update('a~0', [enter('a.1', 'ann', '{"x":1}'), enter('a.2', 'bob')]);
      await update('a~0', [leave('a.1'), leave('a.2')]);
      expect(await engine.leftovers(room)).toEqual([]);
      expect(await store.list(room, '', 10)).toEqual({ version: 0, count: 0, users: [] });
    });

    it('announces nothing when a user is back within the grace, from any node', async () => {
      await update('a~0', [enter('a.1', 'ann', '{"v":1}')]);
      const reply = await update('a~0', [leave('a.1', 50_000)]);
      expect(reply).toMatchObject({ status: 'done' });
      expect((reply as { dueInMs: number }).dueInMs).toBeGreaterThan(45_000);
      expect(await usersNow()).toEqual(['ann']);
      expect(await update('b~0', [enter('b.1', 'ann', '{"v":1}')])).toEqual({ status: 'done' });
      await marker();
      expect(announcementsOf(deltas, 'ann')).toEqual({ joined: 1, left: 0 });
      expect((await store.list(room, '', 1)).users).toEqual([{ user: 'ann', meta: '{"v":1}' }]);
    });

    it('shows what the newest client of a user told that is here, and announces each change', async () => {
      const shown = async (): Promise<string | undefined> => (await store.list(room, '', 1)).users[0]?.meta;
      const joined = (): unknown[] =>
        deltas.flatMap((delta) => delta.joined).filter(({ user }) => user === 'ann');
      const expected: object[] = [];
      const tells = async (owner: string, change: PresenceChange, meta?: object): Promise<void> => {
        await update(owner, [change]);
        // Repeated, it changes nothing.
        await update(owner, [change]);
        if (meta) expected.push({ user: 'ann', ...('v' in meta && { meta }) });
        expect(await shown()).toBe(meta ? ('v' in meta ? JSON.stringify(meta) : undefined) : await shown());
      };
      await tells('a~0', enter('a.1', 'ann', '{"v":1}'), { v: 1 });
      // Back within the grace, and on another node.
      await tells('a~0', leave('a.1', 50_000));
      await tells('b~0', enter('b.1', 'ann', '{"v":2}'), { v: 2 });
      // Again in a room that was joined.
      await tells('b~0', enter('b.1', 'ann', '{"v":3}'), { v: 3 });
      // The word of a client that was here before does not count again.
      await tells('a~0', enter('a.2', 'ann', '{"v":4}'), { v: 4 });
      await tells('b~0', enter('b.1', 'ann', '{"v":3}'));
      expect(await shown()).toBe('{"v":4}');
      await tells('c~0', enter('c.1', 'ann'));
      await tells('a~0', leave('a.2'), { v: 3 });
      await tells('b~0', leave('b.1'), {});
      await tells('c~0', enter('c.1', 'ann', '{"v":5}'), { v: 5 });
      await tells('c~0', leave('c.1'));
      await marker();
      expect(joined()).toEqual(expected);
      expect(announcementsOf(deltas, 'ann').left).toBe(1);
    });

    it('keeps what clients told when their node brings them in under another owner', async () => {
      await update('a~0', [enter('a.1', 'ann', '{"v":1}')]);
      await update('b~0', [enter('b.1', 'ann', '{"v":2}')]);
      await update('a~1', [enter('a.1', 'ann', '{"v":1}')]);
      while ((await store.sweep({ room, owner: 'a~0', goneAt: 0, pauseMs: 0 })).more);
      expect((await store.list(room, '', 1)).users).toEqual([{ user: 'ann', meta: '{"v":2}' }]);
      await update('b~0', [leave('b.1')]);
      expect((await store.list(room, '', 1)).users).toEqual([{ user: 'ann', meta: '{"v":1}' }]);
      await update('a~1', [leave('a.1')]);
      expect(await engine.leftovers(room)).toEqual([]);
    });

    it('announces after the grace, when anybody calls', async () => {
      await update('a~0', [enter('a.1', 'ann'), enter('a.2', 'bob')]);
      await update('a~0', [leave('a.1', 150)]);
      expect(await usersNow()).toEqual(['ann', 'bob']);
      await eventually(async () => {
        await update('b~0');
        expect(await usersNow()).toEqual(['bob']);
      });
      await marker();
      expect(announcementsOf(deltas, 'ann')).toEqual({ joined: 1, left: 1 });
    });

    it('joins all changes of a pause in one announcement', async () => {
      expect(await update('a~0', [enter('a.0', 'u0')])).toEqual({ status: 'done' });
      for (let i = 1; i < 50; i++) {
        const reply = await update('a~0', [enter(`a.${i}`, `u${i}`)], 60_000);
        expect((reply as { dueInMs: number }).dueInMs).toBeLessThanOrEqual(60_000);
      }
      expect(await store.count(room)).toBe(50);
      expect(await update('b~0')).toEqual({ status: 'done' });
      await eventually(() => expect(fold(deltas)).toHaveLength(50));
      expect(deltas.map(({ joined }) => joined.length)).toEqual([1, 49]);
    });

    it('announces at most 500 users at a time, those who came first first', async () => {
      const changes = Array.from({ length: 1_200 }, (_, i) =>
        enter(`a.${i}`, `u${String(i).padStart(4, '0')}`),
      );
      await update('a~0', changes.slice(0, 1));
      await update('a~0', changes.slice(1));
      await eventually(async () => {
        await update('a~0');
        expect(await update('a~0')).toEqual({ status: 'done' });
      });
      await eventually(() => expect(fold(deltas)).toHaveLength(1_200));
      expect(deltas.map(({ joined }) => joined.length)).toEqual([1, 500, 500, 199]);
      const versions = deltas.map(({ version }) => version - deltas[0]!.version);
      expect(versions).toEqual([0, 1, 2, 3]);
    });

    it('says of nobody that he left before it said that he came', async () => {
      await update('a~0', [enter('a.1', 'ann')], 500);
      await update('a~0', [enter('a.2', 'bob'), leave('a.2')], 500);
      expect(await usersNow()).toEqual(['ann', 'bob']);
      await marker();
      expect(deltas[1]).toMatchObject({ left: ['bob'] });
      expect(deltas[1]!.joined[0]).toEqual({ user: 'bob' });
    });

    it('lists users in pages, in the order of their names, with what they told', async () => {
      const users = ['b', 'ä', 'a', '😀', '\uffee', 'a/"\\', 'c', '__proto__'];
      await update(
        'a~0',
        users.map((user, i) => enter(`a.${i}`, user, `{"i":${i}}`)),
      );
      const sorted = [...users].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      const all = await store.list(room, '', 500);
      expect(all.users.map(({ user }) => user)).toEqual(sorted);
      expect(all.users.map(({ user, meta }) => `${users.indexOf(user)}:${meta}`)).toEqual(
        sorted.map((user) => `${users.indexOf(user)}:{"i":${users.indexOf(user)}}`),
      );
      const paged: string[] = [];
      for (let after = ''; paged.length < users.length; after = paged.at(-1)!) {
        const page = await store.list(room, after, 3);
        expect(page).toMatchObject({ count: users.length, version: all.version });
        paged.push(...page.users.map(({ user }) => user));
      }
      expect(paged).toEqual(sorted);
      // Also after a name that is not there any more.
      expect((await store.list(room, 'b!', 1)).users.map(({ user }) => user)).toEqual(['c']);
      await eventually(() => expect(fold(deltas)).toEqual([...users].sort()));
    });

    it('lets two nodes that clean up behind a third announce each leave once', async () => {
      const clients = Array.from({ length: 2_500 }, (_, i) => i);
      for (let from = 0; from < clients.length; from += 500) {
        const part = clients.slice(from, from + 500);
        await update(
          'dead~0',
          part.map((i) => enter(`dead.${i}`, `u${i % 1_000}`)),
        );
      }
      await update('b~0', [enter('b.1', 'u7')]);
      const sweepAll = async (): Promise<void> => {
        while ((await store.sweep({ room, owner: 'dead~0', goneAt: 0, pauseMs: 0 })).more);
      };
      await Promise.all([sweepAll(), sweepAll()]);
      await eventually(async () => {
        await update('b~0');
        expect(await usersNow()).toEqual(['u7']);
      });
      await marker();
      const left = deltas.flatMap((delta) => delta.left);
      expect(new Set(left).size).toBe(999);
      expect(left).toHaveLength(999);
    });

    it('refuses an owner that was taken for dead, in that room only', async () => {
      await update('a~0', [enter('a.1', 'ann')]);
      await store.sweep({ room, owner: 'a~0', goneAt: 0, pauseMs: 0 });
      expect(await update('a~0', [enter('a.1', 'ann')])).toEqual({ status: 'dead' });
      expect(await update('a~0', [leave('a.1')])).toEqual({ status: 'dead' });
      expect(await update('a~1', [enter('a.1', 'ann')])).toEqual({ status: 'done' });
      const elsewhere = { room: `${room}2`, owner: 'a~0', changes: [enter('a.1', 'ann')], pauseMs: 0 };
      expect(await store.update(elsewhere)).toEqual({ status: 'done' });
      expect(await usersNow()).toEqual(['ann']);
    });

    it('lets those whose node died be here until a given time', async () => {
      await update('dead~0', [enter('dead.1', 'ann')]);
      const { now } = await store.look();
      const { dueInMs } = await store.sweep({ room, owner: 'dead~0', goneAt: now + 40_000, pauseMs: 0 });
      expect(dueInMs).toBeGreaterThan(30_000);
      expect(await usersNow()).toEqual(['ann']);
      expect(await update('b~0', [enter('b.1', 'ann')])).toEqual({ status: 'done' });
      await marker();
      expect(announcementsOf(deltas, 'ann')).toEqual({ joined: 1, left: 0 });
    });

    it('shows an owner its entries and who else has any', async () => {
      await update('a~0', [enter('a.1', 'ann'), enter('a.2', 'bob')]);
      await update('b~0', [enter('b.1', 'ann')]);
      const { entries, owners } = await store.inspect(room, 'a~0');
      expect(Object.fromEntries(entries)).toEqual({ 'a.1': 'ann', 'a.2': 'bob' });
      expect([...owners].sort()).toEqual(['a~0', 'b~0']);
      await update('b~0', [leave('b.1')]);
      expect((await store.inspect(room, 'c~0')).owners).toEqual(['a~0']);
    });

    it('shows whether the history of a room is another', async () => {
      const { replicationId } = await store.inspect(room, 'a~0');
      expect((await store.inspect(room, 'a~0')).replicationId).toBe(replicationId);
      await engine.newHistory();
      expect((await store.inspect(room, 'a~0')).replicationId).not.toBe(replicationId);
    });

    it('finds owners and their rooms until they are removed', async () => {
      const owner = `${randomUUID()}~0`;
      const owners = async (): Promise<string[]> => (await store.look()).owners.map((known) => known.owner);
      await store.addRoom(owner, 'chat:1');
      await store.addRoom(owner, 'chat:2');
      expect(await owners()).toContain(owner);
      await store.removeOwner(owner);
      expect(await owners()).toContain(owner);
      expect((await store.roomsOf(owner, 10)).sort()).toEqual(['chat:1', 'chat:2']);
      for (const name of ['chat:1', 'chat:2']) await store.removeRoom(owner, name);
      expect(await store.roomsOf(owner, 10)).toEqual([]);
      await store.removeOwner(owner);
      expect(await owners()).not.toContain(owner);
    });

    it('gives the right to clean up to one node at a time', async () => {
      const owner = `${randomUUID()}~0`;
      expect(await store.claim(owner, 'b', 200)).toBe(true);
      expect(await store.claim(owner, 'c', 200)).toBe(false);
      expect(await store.claim(owner, 'b', 200)).toBe(true);
      await eventually(async () => expect(await store.claim(owner, 'c', 200)).toBe(true));
    });

    it('goes on with versions that nobody has seen after a failover that lost some', async () => {
      await update('a~0', [enter('a.1', 'ann')]);
      await engine.checkpoint();
      await update('a~0', [enter('a.2', 'bob')]);
      await update('a~0', [enter('a.3', 'cid')]);
      await eventually(() => expect(deltas).toHaveLength(3));
      await engine.loseSinceCheckpoint();
      expect(await usersNow()).toEqual(['ann']);
      await update('a~0', [enter('a.2', 'bob')]);
      await eventually(() => expect(deltas).toHaveLength(4));
      expect(deltas[3]!.version).toBeGreaterThan(deltas[2]!.version + 1);
      await update('a~0', [enter('a.3', 'cid')]);
      await eventually(() => expect(deltas).toHaveLength(5));
      expect(deltas[4]!.version).toBe(deltas[3]!.version + 1);
    });

    it('does not know rooms of an owner that a failover lost', async () => {
      const owner = `${randomUUID()}~0`;
      await store.addRoom(owner, 'chat:1');
      await engine.checkpoint();
      await store.addRoom(owner, 'chat:2');
      await engine.loseSinceCheckpoint();
      expect(await store.roomsOf(owner, 10)).toEqual(['chat:1']);
    });

    it('begins with a higher version than before when a room was empty', async () => {
      for (let i = 0; i < 3; i++) {
        await update('a~0', [enter(`a.${i}`, 'ann')], 10);
        await update('a~0', [leave(`a.${i}`)], 10);
        await eventually(async () => {
          await update('a~0', [], 10);
          expect(await engine.leftovers(room)).toEqual([]);
        });
      }
      await eventually(() => expect(deltas).toHaveLength(6));
      const versions = deltas.map(({ version }) => version);
      expect([...new Set(versions)].sort((a, b) => a - b)).toEqual(versions);
    });
  });
}
