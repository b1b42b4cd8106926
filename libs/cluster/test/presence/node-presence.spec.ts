import { expect, it } from '@jest/globals';
import { NodePresence } from '../../src/index.js';
import { nodePresenceContract } from './node-presence.contract.js';
import { memoryPresence, redisPresence } from './presence-engines.js';

nodePresenceContract('memory', () => memoryPresence());
nodePresenceContract('Redis', redisPresence);

it('a node with many clients announces less often', async () => {
  const engine = await memoryPresence();
  const { store, registry } = await engine.openNode('a');
  const presence = new NodePresence({ store, registry });
  const enter = (from: number, to: number): void => {
    for (let i = from; i < to; i++) presence.entered('chat:big', { id: `a.${i}`, user: `u${i}` });
  };
  enter(0, 100);
  expect(presence.pauseMs).toBe(250);
  enter(0, 10_000);
  expect(presence.pauseMs).toBe(1_000);
  enter(10_000, 30_000);
  expect(presence.pauseMs).toBe(2_000);
  for (let i = 0; i < 30_000; i++) presence.left('chat:big', `a.${i}`);
  expect(presence.pauseMs).toBe(250);
  await presence.close();
});
