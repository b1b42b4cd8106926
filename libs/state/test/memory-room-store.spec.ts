import { MemoryEngine, MemoryRoomStore } from '../src/index.js';
import { collector } from './collector.js';
import { roomStoreContract } from './room-store.contract.js';

roomStoreContract('memory', () => {
  const engine = new MemoryEngine();
  return Promise.resolve({
    store: new MemoryRoomStore(engine),
    newHistory: async () => engine.promote(),
    checkpoint: async () => engine.pauseReplication(),
    loseSinceCheckpoint: async () => engine.promote(),
    wipe: async () => engine.rooms.clear(),
    subscribe: (room) => {
      const messages = collector();
      engine.channels.subscribe(room, messages.add);
      return Promise.resolve(messages);
    },
    stop: () => Promise.resolve(),
  });
});
