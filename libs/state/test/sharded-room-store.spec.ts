import { ClusterLinks, parseRedisTarget, RedisKeys, slotOf } from '@wss/redis';
import { RedisClusterServers } from '@wss/testing';
import { RedisRoomStore, ROOM_SCRIPTS } from '../src/index.js';
import { collector } from './collector.js';
import { redisFaults } from './redis-faults.js';
import { roomStoreContract } from './room-store.contract.js';

roomStoreContract('Redis Cluster', async () => {
  const servers = await RedisClusterServers.start({ args: ['--enable-debug-command', 'local'] });
  const scripts = Object.values(ROOM_SCRIPTS);
  const links = await ClusterLinks.connect({ target: parseRedisTarget(servers.url), scripts });
  const keys = new RedisKeys('test');
  return {
    store: new RedisRoomStore(links, keys),
    ...redisFaults(links.shards.map(({ commands }) => commands)),
    async subscribe(room) {
      const messages = collector();
      const { channel } = keys.room(room);
      const { subscriber } = links.shardOf(slotOf(channel))!;
      subscriber.on('smessage', (from, message) => from === channel && messages.add(message));
      await subscriber.ssubscribe(channel);
      return messages;
    },
    async stop() {
      await links.close();
      await servers.stop();
    },
  };
});
