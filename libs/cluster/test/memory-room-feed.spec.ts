import { RedisKeys } from '@wss/redis';
import { MemoryEngine, MemoryRoomStore } from '@wss/state';
import { MemoryClusterChannels } from '../src/index.js';
import { roomFeedContract } from './room-feed.contract.js';

roomFeedContract('memory', async () => {
  const engine = new MemoryEngine();
  const keys = new RedisKeys('test');
  return {
    keys,
    openNode: async () => ({
      store: new MemoryRoomStore(engine, (room) => keys.room(room).channel),
      channels: new MemoryClusterChannels(engine),
    }),
    checkpoint: async () => engine.pauseReplication(),
    failOver: async () => engine.promote(),
    stop: async () => undefined,
  };
});
