import { beforeEach, describe, expect, it } from '@jest/globals';
import { setImmediate } from 'node:timers/promises';
import { RedisKeys } from '@wss/redis';
import { MemoryEngine } from '@wss/state';
import { eventually } from '@wss/testing';
import {
  ClientRouting,
  MemoryClusterChannels,
  MemorySessionStore,
  MemoryStandingStore,
  SessionKeeper,
} from '../../src/index.js';
import type { Session } from '../../src/sessions/session-keeper.js';
import { NO_STANDINGS } from '../no-standings.js';
import { TakeOvers } from '../../src/sessions/take-overs.js';

/** A node of the embedded engine, and the sessions that have a connection there. */
class TestNode {
  readonly here = new Set<Session>();
  readonly channels: MemoryClusterChannels;
  readonly routing: ClientRouting;
  refusals = 0;

  constructor(
    private readonly engine: MemoryEngine,
    private readonly sessions: SessionKeeper,
  ) {
    this.channels = new MemoryClusterChannels(engine);
    const { publish } = this.channels;
    this.channels.publish = (channel, message) =>
      this.refusals-- > 0
        ? Promise.reject(new Error('refused'))
        : publish.call(this.channels, channel, message);
    this.routing = new ClientRouting({
      nodeId: 'n',
      channels: this.channels,
      keys: new RedisKeys('test'),
      sessions: new MemorySessionStore(engine),
      standings: new MemoryStandingStore(engine),
      listener: {
        ...NO_STANDINGS,
        deliverToAll: () => undefined,
        deliverToClient: () => undefined,
        deliverToUser: () => undefined,
        sessionsOf: () => [...this.here],
        sessionTakenOver: (id, generation) => {
          for (const session of this.here)
            if (session.id === id && session.generation < generation) this.here.delete(session);
        },
      },
    });
  }

  async connect(token?: string): Promise<string> {
    const { session, token: next, resumed } = await this.sessions.open('ann', token);
    const isFirst = this.here.size === 0;
    this.here.add(session);
    if (isFirst) void this.routing.userCame('ann');
    if (resumed) this.routing.sessionResumed(session);
    return next;
  }
}

describe('take-overs', () => {
  it('R8: are announced until nodes have heard of them', async () => {
    const engine = new MemoryEngine();
    const sessions = await SessionKeeper.start(new MemorySessionStore(engine));
    const [older, newer] = [new TestNode(engine, sessions), new TestNode(engine, sessions)];
    const token = await older.connect();
    newer.refusals = 2;
    await newer.connect(token);
    await eventually(() => expect(older.here.size).toBe(0));
    expect(newer.here.size).toBe(1);
    for (const { routing } of [older, newer]) routing.close();
    sessions.close();
  });

  it('R8: are found in the engine by a node that hears the user after they were announced', async () => {
    const engine = new MemoryEngine();
    const sessions = await SessionKeeper.start(new MemorySessionStore(engine));
    const [older, newer] = [new TestNode(engine, sessions), new TestNode(engine, sessions)];
    const { keep } = older.channels;
    let confirm = (): void => undefined;
    const held = new Promise<void>((resolve) => (confirm = resolve));
    older.channels.keep = async (...args) => {
      await held;
      await keep.apply(older.channels, args);
    };
    const token = await older.connect();
    await newer.connect(token);
    expect(older.here.size).toBe(1);
    confirm();
    await eventually(() => expect(older.here.size).toBe(0));
    expect(newer.here.size).toBe(1);
    sessions.close();
  });

  describe('of which some can not be settled', () => {
    const announced: string[] = [];
    const compared: string[] = [];
    const isOut = (name: string): boolean => name.includes('out');
    let refused = 0;
    const open = (): TakeOvers =>
      new TakeOvers({
        announce: async (user) => {
          if (isOut(user)) throw new Error(`the master of attempt ${++refused} is out of reach`);
          announced.push(user);
        },
        generationsOf: async (ids) => {
          if (ids.some(isOut)) throw new Error(`the master of attempt ${++refused} is out of reach`);
          compared.push(...ids);
          return ids.map(() => 1);
        },
        sessionsOf: (user) => [{ id: `s-${user}`, generation: 1 }],
        takenOver: () => undefined,
      });
    const refusedAgain = (): Promise<void> => {
      const before = refused;
      return eventually(() => expect(refused).toBeGreaterThan(before + 3), { withinMs: 10_000 });
    };
    beforeEach(() => {
      for (const list of [announced, compared]) list.length = 0;
      refused = 0;
    });

    it('R8: others are announced at once', async () => {
      const takeOvers = open();
      takeOvers.resumed('out', { id: 's-out', generation: 1 });
      await refusedAgain();
      const { length } = announced;
      takeOvers.resumed('ann', { id: 's-ann', generation: 1 });
      await setImmediate();
      expect(announced.slice(length)).toEqual(['ann']);
      takeOvers.close();
    });

    it('R39: ten thousand are compared in parts, few at a time', async () => {
      let running = 0;
      let most = 0;
      const judged = new Set<string>();
      const takeOvers = new TakeOvers({
        announce: () => Promise.resolve(),
        generationsOf: (ids) => Promise.resolve(ids.map(() => 1)),
        sessionsOf: () => [],
        takenOver: () => undefined,
        judge: async (users) => {
          expect(users.length).toBeLessThanOrEqual(500);
          most = Math.max(most, ++running);
          // Within the turn: on a busy machine a later one could be behind the time that a part holds up the next.
          await Promise.resolve();
          running--;
          for (const user of users) judged.add(user);
        },
      });
      for (let i = 0; i < 10_000; i++) takeOvers.heard(`u${i}`);
      await eventually(() => expect(judged.size).toBe(10_000));
      expect(most).toBe(2);
      takeOvers.close();
    });

    it('R8: others are compared, those that come later at once', async () => {
      const takeOvers = open();
      const users = Array.from({ length: 100 }, (_, i) => (i === 37 ? 'out' : `u${i}`));
      for (const user of users) takeOvers.heard(user);
      await eventually(() => expect(new Set(compared).size).toBe(99), { withinMs: 10_000 });
      await refusedAgain();
      takeOvers.heard('ann');
      await setImmediate();
      expect(compared.at(-1)).toBe('s-ann');
      expect(compared).toHaveLength(100);
      takeOvers.close();
    });
  });
});
