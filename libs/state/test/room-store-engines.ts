import { parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { redisFaults, RedisServer } from '@wss/testing';
import { MemoryEngine, MemoryRoomStore, RedisRoomStore, ROOM_SCRIPTS } from '../src/index.js';
import { collector } from './collector.js';
import type { StoreUnderTest } from './room-store.contract.js';

/** A store on an engine in this process. */
export function memoryStore(): Promise<StoreUnderTest> {
  const engine = new MemoryEngine();
  return Promise.resolve({
    store: new MemoryRoomStore(engine),
    newHistory: async () => engine.promote(),
    checkpoint: async () => engine.pauseReplication(),
    loseSinceCheckpoint: async () => engine.promote(),
    wipe: async () => engine.rooms.clear(),
    channelOf: (room) => room,
    subscribe: (channel) => {
      const messages = collector();
      engine.channels.subscribe(channel, messages.add);
      return Promise.resolve(messages);
    },
    stop: () => Promise.resolve(),
  });
}

/** A store on a Redis server of its own. */
export async function redisStore(): Promise<StoreUnderTest> {
  const server = await RedisServer.start({ args: ['--enable-debug-command', 'local'] });
  const scripts = Object.values(ROOM_SCRIPTS);
  const links = await RedisLinks.connect({ target: parseRedisTarget(server.url), scripts });
  const keys = new RedisKeys('test');
  // One for each channel that a test listens to.
  links.subscriber.setMaxListeners(0);
  return {
    store: new RedisRoomStore(links, keys),
    ...redisFaults([links.commands]),
    channelOf: (room) => keys.room(room).channel,
    async subscribe(channel) {
      const messages = collector();
      links.subscriber.on('message', (from, message) => from === channel && messages.add(message));
      await links.subscriber.subscribe(channel);
      return messages;
    },
    async stop() {
      await links.close();
      await server.stop();
    },
  };
}
