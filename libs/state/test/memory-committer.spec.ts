import { MemoryEngine, MemoryRoomStore } from '../src/index.js';
import { committerContract } from './committer.contract.js';

committerContract('the memory engine', () => {
  const engine = new MemoryEngine();
  return Promise.resolve({
    openStore: () =>
      Promise.resolve({
        store: new MemoryRoomStore(engine),
        turns: {
          subscribe: async (channel, listener) => engine.channels.subscribe(channel, listener),
          unsubscribe: (channel, listener) => engine.channels.unsubscribe(channel, listener),
        },
      }),
    loseReplies: async (count) => engine.loseReplies(count),
    failCalls: async (count) => engine.failCalls(count),
    refusePublications: async (refused) => void (engine.channels.refusing = refused),
    setReachable: async (reachable) => engine.setReachable(reachable),
    stop: () => Promise.resolve(),
  });
});
