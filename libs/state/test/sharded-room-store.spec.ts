import { afterAll, beforeAll } from '@jest/globals';
import { ClusterLinks, parseRedisTarget, RedisKeys, slotOf } from '@wss/redis';
import { ClusterProxies, RedisClusterServers, redisFaults } from '@wss/testing';
import { RedisRoomStore, ROOM_SCRIPTS } from '../src/index.js';
import { collector } from './collector.js';
import { committerContract } from './committer.contract.js';
import { loseReplies } from './lost-replies.js';
import { roomStoreContract } from './room-store.contract.js';
import { turnListener } from './turn-listener.js';

let servers: RedisClusterServers;
beforeAll(async () => {
  servers = await RedisClusterServers.start({ args: ['--enable-debug-command', 'local'] });
});
afterAll(() => servers?.stop());

const scripts = Object.values(ROOM_SCRIPTS);

roomStoreContract('Redis Cluster', async () => {
  const links = await ClusterLinks.connect({ target: parseRedisTarget(servers.url), scripts });
  const keys = new RedisKeys('test');
  return {
    store: new RedisRoomStore(links, keys),
    ...redisFaults(links.shards.map(({ commands }) => commands)),
    channelOf: (room) => keys.room(room).channel,
    async subscribe(channel) {
      const messages = collector();
      const { subscriber } = links.shardOf(slotOf(channel))!;
      subscriber.on('smessage', (from, message) => from === channel && messages.add(message));
      await subscriber.ssubscribe(channel);
      return messages;
    },
    stop: () => links.close(),
  };
});

committerContract('Redis Cluster', async () => {
  const opened: { links: ClusterLinks; proxies: ClusterProxies }[] = [];
  return {
    async openStore() {
      const proxies = await ClusterProxies.start(servers);
      const { translate } = proxies;
      const target = parseRedisTarget(proxies.url);
      const links = await ClusterLinks.connect({ target, translate, scripts, commandTimeoutMs: 300 });
      opened.push({ links, proxies });
      return {
        store: new RedisRoomStore(links, new RedisKeys('test')),
        turns: turnListener((channel) => links.shardOf(slotOf(channel))!.subscriber, 's'),
      };
    },
    async loseReplies(count) {
      const { links, proxies } = opened.at(-1)!;
      const commands = links.shards.map((shard) => shard.commands);
      await loseReplies({ commands, setMode: (mode) => proxies.setMode(mode), count });
    },
    async setReachable(reachable) {
      await opened.at(-1)!.proxies.setMode(reachable ? 'pass' : 'cut');
    },
    async stop() {
      for (const { links, proxies } of opened) {
        await links.close();
        await proxies.stop();
      }
    },
  };
});
