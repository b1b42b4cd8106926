import { afterEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { RedisKeys } from '@wss/redis';
import { MemoryEngine, MemoryRoomStore } from '@wss/state';
import { eventually } from '@wss/testing';
import { MemoryClusterChannels } from '../../src/index.js';
import { FeedNode, SlowChannels } from './feed-node.js';

const ROOM = 'feed:r';
const keys = new RedisKeys('faults');
const engine = new MemoryEngine();
const nodes: FeedNode[] = [];
afterEach(() => {
  for (const node of nodes.splice(0)) node.close();
  jest.restoreAllMocks();
});

it('each node of a process tells of an outage by itself', async () => {
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  const lines = (): number =>
    warn.mock.calls.filter(([line]) => /rooms with members/.test(String(line))).length;
  const store = new MemoryRoomStore(engine, (room) => keys.room(room).channel);
  for (let i = 0; i < 2; i++) {
    const channels = new SlowChannels(new MemoryClusterChannels(engine));
    nodes.push(new FeedNode(ROOM, keys, store, channels, { pauses: { quietMs: 20 } }));
  }
  for (const node of nodes) await node.join();
  engine.setReachable(false);
  await eventually(() => expect(lines()).toBe(2));
});
