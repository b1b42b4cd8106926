import { parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { redisFaults, RedisServer } from '@wss/testing';
import {
  MemoryEngine,
  MemoryRoomStore,
  RedisRoomStore,
  ROOM_SCRIPTS,
  type RoomScripts,
} from '../../src/index.js';
import { collector } from '../commits/collector.js';
import type { StoreUnderTest } from './room-store.contract.js';

/** The Redis user as whom a store under test logs in, so that its rights can be taken. */
export const STORE_LOGIN = { username: 'store', password: 'store' };
/** For `ACL SETUSER`. */
export const STORE_USER = ['store', 'on', '>store', '~*', '+@all', 'allchannels'] as const;

/** A store on an engine in this process. */
export function memoryStore(engine = new MemoryEngine()): Promise<StoreUnderTest> {
  return Promise.resolve({
    store: new MemoryRoomStore(engine),
    newHistory: async () => engine.promote(),
    checkpoint: async () => engine.pauseReplication(),
    loseSinceCheckpoint: async () => engine.promote(),
    wipe: async () => engine.rooms.clear(),
    refusePublications: async (refused) => void (engine.channels.refusing = refused),
    writtenInPart: async (name, seq) => {
      const room = engine.rooms.get(name);
      if (room) room.seq = seq;
    },
    losePart: async (room, part) => engine.losePart(room, part),
    channelOf: (room) => room,
    subscribe: (channel) => {
      const messages = collector();
      engine.channels.subscribe(channel, messages.add);
      return Promise.resolve(messages);
    },
    stop: () => Promise.resolve(),
  });
}

/** Sets a room's number back, where there is a room; the nodes in its queue stay. */
export async function writtenInPart(
  commands: Pick<RedisLinks['commands'], 'hget' | 'hset'>,
  meta: string,
  seq: number,
): Promise<void> {
  const top = await commands.hget(meta, 's');
  if (top !== null) await commands.hset(meta, 's', top.replace(/^\d+/, String(seq)));
}

/** A store on a Redis server of its own. */
export async function redisStore(used: RoomScripts = ROOM_SCRIPTS): Promise<StoreUnderTest> {
  const server = await RedisServer.start({ args: ['--enable-debug-command', 'local'] });
  const scripts = Object.values(used);
  const target = parseRedisTarget(server.url);
  await server.cli('ACL', 'SETUSER', ...STORE_USER);
  const links = await RedisLinks.connect({ target: { ...target, ...STORE_LOGIN }, scripts });
  // The channels that are listened to do not depend on the store's rights.
  const listening = await RedisLinks.connect({ target });
  const keys = new RedisKeys('test');
  // One for each channel that a test listens to.
  listening.subscriber.setMaxListeners(0);
  return {
    store: new RedisRoomStore(links, keys, used),
    ...redisFaults([listening.commands]),
    losePart: async (room, part) => void (await listening.commands.del(keys.room(room)[part])),
    refusePublications: async (refused) => {
      await server.cli('ACL', 'SETUSER', STORE_LOGIN.username, refused ? 'resetchannels' : 'allchannels');
    },
    writtenInPart: (room, seq) => writtenInPart(listening.commands, keys.room(room).meta, seq),
    channelOf: (room) => keys.room(room).channel,
    async subscribe(channel) {
      const messages = collector();
      listening.subscriber.on('message', (from, message) => from === channel && messages.add(message));
      await listening.subscriber.subscribe(channel);
      return messages;
    },
    async stop() {
      await links.close();
      await listening.close();
      await server.stop();
    },
  };
}
