import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { writeSync } from 'node:fs';
import type { OpenedSession } from '@wss/core';
import { eventually, newSeed, Random } from '@wss/testing';
import { SessionKeeper, WaitingSessions } from '../../src/index.js';
import type { Session } from '../../src/sessions/session-keeper.js';
import type { ClusterUnderTest, EngineUnderTest, NodeLinks } from '../engines.js';

const MOST = 4;
const TTL_MS = 3_600_000;
/** Longer than a list of live nodes is old. */
const REST_MS = 5_000;
const SECRET = 'a secret that all nodes of the test have';

type Opened = OpenedSession<Session>;

/** A node's sessions. */
class SessionNode {
  isAlive = true;

  private constructor(
    readonly nodeId: string,
    readonly links: NodeLinks,
    readonly sessions: SessionKeeper,
    readonly waiting: WaitingSessions,
  ) {}

  static async start(
    cluster: ClusterUnderTest,
    nodeId: string,
    alive: () => SessionNode[],
    limit: { readonly restMs?: number; readonly most?: number } = {},
  ): Promise<SessionNode> {
    const links = await cluster.openNode({ nodeId });
    const waiting = new WaitingSessions({
      store: links.waiting,
      nodeId,
      registry: { alive: () => Promise.resolve(alive().map((node) => ({ nodeId: node.nodeId }) as never)) },
      drop: (session) => links.sessions.drop(session),
      limit: { most: MOST, keptMs: TTL_MS, restMs: REST_MS, scanMs: 0, ...limit },
    });
    const options = { secret: SECRET, ttlMs: TTL_MS, notes: waiting };
    return new SessionNode(nodeId, links, await SessionKeeper.start(links.sessions, options), waiting);
  }

  /** Its process is gone: it tells nothing any more. */
  kill(): void {
    this.isAlive = false;
    this.sessions.close();
    this.waiting.close();
  }

  async close(): Promise<void> {
    this.kill();
    await this.links.close();
  }
}

/** A session of a client, as it is to be. */
interface Known {
  opened: Opened;
  /** Absent without a connection. */
  node?: SessionNode | undefined;
}

export function waitingSessionsContract(name: string, start: () => Promise<EngineUnderTest>): void {
  describe(`sessions without a connection on ${name}`, () => {
    let engine: EngineUnderTest;
    let cluster: ClusterUnderTest;
    let nodes: SessionNode[];
    let count: number;

    beforeAll(async () => void (engine = await start()));
    afterAll(() => engine.stop());
    beforeEach(async () => {
      cluster = engine.newCluster();
      nodes = [];
      count = 0;
      for (let i = 0; i < 3; i++) await newNode();
    });
    afterEach(async () => {
      for (const node of nodes) await node.close();
    });

    const alive = (): SessionNode[] => nodes.filter(({ isAlive }) => isAlive);
    async function newNode(limit?: Parameters<typeof SessionNode.start>[3]): Promise<SessionNode> {
      const node = await SessionNode.start(cluster, `n${count++}`, alive, limit);
      nodes.push(node);
      return node;
    }
    const generations = (known: readonly Known[]): Promise<(number | undefined)[]> =>
      alive()[0]!.links.sessions.generations(known.map(({ opened }) => opened.session.id));
    /** Those that have ended, and whose ends were told. */
    async function goneOf(known: readonly Known[]): Promise<string[]> {
      const store = alive()[0]!.links.sessions;
      const { sessions } = await store.claimEnded(1_000);
      for (const session of sessions) await store.forget(session);
      const found = await generations(known);
      return known.flatMap(({ opened }, i) => (found[i] === undefined ? [opened.session.id] : []));
    }
    const settled = (): Promise<void> =>
      eventually(() => expect(alive().every(({ waiting }) => waiting.pending === 0)).toBe(true));

    it('are ended beyond the limit, longest without a connection first, and no other session is', async () => {
      const seed = newSeed();
      writeSync(1, `waiting: SEED=${seed}\n`);
      const random = new Random(seed);
      const connected: Known[] = [];
      /** Without a connection, in the order in which they lost it. */
      const waiting: Known[] = [];
      const over: Known[] = [];
      for (let step = 0; step < 80; step++) {
        const node = random.pick(nodes);
        const dice = random.below(10);
        if (dice < 4 || connected.length === 0) {
          connected.push({ opened: await node.sessions.open('ann'), node });
        } else if (dice < 9) {
          const [known] = connected.splice(random.below(connected.length), 1) as [Known];
          known.node!.sessions.disconnected(known.opened.session);
          delete known.node;
          waiting.push(known);
          if (waiting.length > MOST) over.push(waiting.shift()!);
        } else if (waiting.length > 0) {
          const [known] = waiting.splice(random.below(waiting.length), 1) as [Known];
          const opened = await node.sessions.open('ann', known.opened.token);
          expect(opened.resumed).toBe(true);
          connected.push({ opened, node });
        }
        // Only what has arrived has an order.
        await settled();
        expect((await goneOf(over)).length).toBe(over.length);
      }
      for (const { opened } of [...connected, ...waiting])
        expect((await nodes[0]!.sessions.open('ann', opened.token)).resumed).toBe(true);
      for (const { opened } of over)
        expect((await nodes[0]!.sessions.open('ann', opened.token)).resumed).toBe(false);
      expect(over.length).toBeGreaterThan(0);
      expect(nodes.reduce((sum, node) => sum + node.waiting.ended, 0)).toBe(over.length);
    });

    it('are bounded through reconnects in any order and deaths of nodes, and none with a connection ends', async () => {
      const seed = newSeed();
      writeSync(1, `waiting: SEED=${seed}\n`);
      const random = new Random(seed);
      const all: Known[] = [];
      const busy = new Set<Known>();
      /** Notes that died with their node. */
      let lost = 0;
      let deaths = 0;
      const turn = async (): Promise<void> => {
        const node = random.pick(alive());
        const known = all.length > 0 ? random.pick(all) : undefined;
        const dice = random.below(20);
        if (dice === 0 && alive().length > 1) {
          if (deaths++ % 4 > 0) await settled();
          if (!node.isAlive) return;
          lost += node.waiting.pending;
          node.kill();
          for (const one of all) if (one.node === node) delete one.node;
          await newNode();
        } else if (dice < 8 || !known) {
          all.push({ opened: await node.sessions.open('ann'), node });
          if (!node.isAlive) lost++;
        } else if (busy.has(known)) {
          return;
        } else if (dice < 14) {
          known.node?.sessions.disconnected(known.opened.session);
          delete known.node;
        } else {
          busy.add(known);
          // A client that comes back before its old connection is noticed, here or elsewhere.
          const before = { ...known };
          const opened = await node.sessions.open('ann', known.opened.token);
          // A node may have died meanwhile, and an ended session is another one now.
          Object.assign(known, { opened, node: node.isAlive ? node : undefined });
          before.node?.sessions.disconnected(before.opened.session);
          busy.delete(known);
          if (!node.isAlive) lost++;
        }
      };
      for (let step = 0; step < 40; step++) await Promise.all([turn(), turn(), turn()]);
      const last = { opened: await alive()[0]!.sessions.open('ann'), node: alive()[0]! };
      const withConnection = [...all, last].filter(({ node }) => node?.isAlive);
      const without = all.filter(({ node }) => !node?.isAlive);
      expect(without.length).toBeGreaterThan(MOST);
      await eventually(async () => {
        // A further connection finds what dead nodes left.
        last.node.waiting.connected(last.opened.session);
        await settled();
        const left = without.length - (await goneOf(without)).length;
        expect(left).toBeLessThanOrEqual(MOST + lost);
      });
      expect(lost).toBeLessThan(without.length - MOST);
      const found = await generations(withConnection);
      expect(found).toEqual(withConnection.map(({ opened }) => opened.session.generation));
    });

    it('go on where their node is only cut off, until it was away for long', async () => {
      const [cut, other] = [await newNode({ restMs: TTL_MS }), await newNode({ restMs: TTL_MS })];
      const here = await Promise.all(Array.from({ length: MOST + 2 }, () => cut.sessions.open('ann')));
      await settled();
      cut.isAlive = false;
      // More than the limit besides.
      for (let i = 0; i < MOST + 2; i++) {
        const { session } = await other.sessions.open('ann');
        await settled();
        other.sessions.disconnected(session);
        await settled();
      }
      const known = here.map((opened) => ({ opened }));
      expect(await goneOf(known)).toEqual([]);
      cut.isAlive = true;
      await other.sessions.open('ann');
      await settled();
      expect(await generations(known)).toEqual(here.map(() => 1));
    });

    it('are noted once the engine is back', async () => {
      const [node] = nodes as [SessionNode];
      const opened = await Promise.all(Array.from({ length: MOST + 3 }, () => node.sessions.open('ann')));
      await settled();
      await node.links.setReachable(false);
      for (const { session } of opened) node.sessions.disconnected(session);
      await node.links.setReachable(true);
      await eventually(async () =>
        expect(await goneOf(opened.map((one) => ({ opened: one })))).toHaveLength(3),
      );
    });

    it('leave neither a record nor rooms behind when they end, and their commands for an hour', async () => {
      const [node] = nodes as [SessionNode];
      const store = node.links.sessions;
      const opened: Opened[] = [];
      for (let i = 0; i <= MOST; i++) {
        const one = await node.sessions.open('ann');
        await store.addRoom(one.session.id, 'note:1');
        opened.push(one);
        node.sessions.disconnected(one.session);
        await settled();
      }
      const [{ session }] = opened as [Opened];
      expect(await store.membershipsOf(session.id)).toMatchObject({ rooms: [] });
      const { sessions } = await store.claimEnded(10);
      expect(sessions.map(({ id, user }) => ({ id, user }))).toEqual([{ id: session.id, user: 'ann' }]);
      await store.forget(sessions[0]!);
      expect(await store.generations([session.id])).toEqual([undefined]);
      expect(await store.drop(session)).toBe(false);
    });

    it('are as the newest connection says, in whatever order older ones are noted', async () => {
      const seed = newSeed();
      writeSync(1, `notes: SEED=${seed}\n`);
      const random = new Random(seed);
      const store = alive()[0]!.links.waiting;
      const limit = { most: 0, keptMs: TTL_MS, restMs: REST_MS, scanMs: TTL_MS };
      for (let round = 0; round < 50; round++) {
        const user = `user${round}`;
        const newest = 1 + random.below(4);
        const isLost = random.below(2) === 0;
        // The notes of each connection, in their order.
        const notes = Array.from({ length: newest }, (_, i) => {
          const connection = { id: 's', user, generation: i + 1 };
          const both = [
            { connection, node: 'n0' },
            { connection, node: undefined },
          ];
          return i + 1 < newest || isLost ? both : both.slice(0, 1);
        });
        while (notes.some((left) => left.length > 0)) {
          const { connection, node } = random.pick(notes.filter((left) => left.length > 0)).shift()!;
          await store.note(connection, node, limit, ['n0']);
        }
        const found = await store.note({ id: 'other', user, generation: 1 }, 'n0', limit, ['n0']);
        expect([seed, round, found]).toEqual([
          seed,
          round,
          isLost ? [{ id: 's', user, generation: newest }] : [],
        ]);
      }
    });
  });
}
