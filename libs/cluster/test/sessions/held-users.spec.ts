import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { setImmediate } from 'node:timers/promises';
import type { Standing } from '@wss/core';
import { RedisKeys } from '@wss/redis';
import { MemoryEngine } from '@wss/state';
import { eventually } from '@wss/testing';
import {
  ClientRouting,
  MemoryClusterChannels,
  MemorySessionStore,
  MemoryStandingStore,
} from '../../src/index.js';
import type { Channels, ReturnCallbacks } from '../../src/channels/channels.js';
import { NO_STANDINGS } from '../no-standings.js';

const keys = new RedisKeys('test');
const channel = keys.user('ann');

describe('R39: frames for a user whose channel is not heard', () => {
  let link: ReturnCallbacks;
  let heardAgain: () => void;
  let store: MemoryStandingStore;
  let routing: ClientRouting;
  let calls: string[];

  beforeEach(async () => {
    calls = [];
    const engine = new MemoryEngine();
    const channels = new MemoryClusterChannels(engine);
    channels.onReturn = (callbacks) => void (link = callbacks);
    const onInterruption: Channels['onInterruption'] = (callback) =>
      void (heardAgain = () => callback(new Set([channel])));
    Object.assign(channels, { onInterruption });
    store = new MemoryStandingStore(engine);
    routing = new ClientRouting({
      ...{ nodeId: 'n', channels, keys, standings: store, sessions: new MemorySessionStore(engine) },
      listener: {
        ...NO_STANDINGS,
        judge: () => void calls.push('judge'),
        hold: (_user, what) => void calls.push(`hold ${what}`),
        release: () => void calls.push('release'),
        deliverToAll: () => undefined,
        deliverToClient: () => undefined,
        deliverToUser: () => undefined,
        sessionsOf: () => [],
        sessionTakenOver: () => undefined,
      },
    });
    await routing.userCame('ann');
    await eventually(() => expect(calls).toContain('judge'));
    calls = [];
  });
  afterEach(() => routing.close());

  it('wait though another connection of the user comes', async () => {
    link.lost([channel]);
    routing.clientCame('ann');
    await eventually(() => expect(calls).toContain('judge'));
    expect(calls).not.toContain('release');
    link.returning([channel]);
    heardAgain();
    await eventually(() => expect(calls.at(-1)).toBe('release'));
  });

  it('wait for a comparison that began after the channel was heard again', async () => {
    let answer!: () => void;
    const late = new Promise<void>((resolve) => (answer = resolve));
    const of = store.of.bind(store);
    let reads = 0;
    store.of = async (users): Promise<Standing[]> => {
      const standings = await of(users);
      if (++reads === 1) await late;
      return standings;
    };
    link.lost([channel]);
    heardAgain();
    await eventually(() => expect(reads).toBe(1));
    link.lost([channel]);
    answer();
    await eventually(() => expect(calls).toContain('judge'));
    await setImmediate();
    expect(calls).not.toContain('release');
    heardAgain();
    await eventually(() => expect(calls.at(-1)).toBe('release'));
  });

  it('are let go where the engine refuses the channel', () => {
    link.lost([channel]);
    link.refused([channel]);
    expect(calls.at(-1)).toBe('release');
  });
});
