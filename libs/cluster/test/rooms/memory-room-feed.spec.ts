import { lastSeq } from '@wss/protocol';
import { RedisKeys } from '@wss/redis';
import { MemoryEngine, MemoryRoomStore } from '@wss/state';
import { MemoryClusterChannels } from '../../src/index.js';
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
    async trim(room, upTo) {
      const { log } = engine.rooms.get(room)!;
      log.splice(0, log.filter((entry) => lastSeq(entry) <= upTo).length);
    },
    async wipe() {
      engine.promote();
      engine.rooms.clear();
    },
    stop: async () => undefined,
  };
});
