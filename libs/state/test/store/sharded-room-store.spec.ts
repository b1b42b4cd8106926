import { afterAll, beforeAll } from '@jest/globals';
import { ClusterLinks, parseRedisTarget, RedisKeys, slotOf } from '@wss/redis';
import { ClusterProxies, RedisClusterServers, redisFaults } from '@wss/testing';
import { RedisRoomStore, ROOM_SCRIPTS } from '../../src/index.js';
import { collector } from '../commits/collector.js';
import { committerContract } from '../commits/committer.contract.js';
import { FailingScripts } from './failing-scripts.js';
import { loseReplies } from '../commits/lost-replies.js';
import { roomHistoryContract } from './room-history.contract.js';
import { roomStoreContract, type StoreUnderTest } from './room-store.contract.js';
import { STORE_LOGIN, STORE_USER, writtenInPart } from './room-store-engines.js';
import { callListener } from '../commits/call-listener.js';

let servers: RedisClusterServers;
beforeAll(async () => {
  servers = await RedisClusterServers.start({ args: ['--enable-debug-command', 'local'] });
});
afterAll(() => servers?.stop());

const scripts = Object.values(ROOM_SCRIPTS);

async function clusterStore(): Promise<StoreUnderTest> {
  const target = parseRedisTarget(servers.url);
  const listening = await ClusterLinks.connect({ target });
  const masters = listening.shards.map(({ commands }) => commands);
  for (const redis of masters) await redis.acl('SETUSER', ...STORE_USER);
  const links = await ClusterLinks.connect({ target: { ...target, ...STORE_LOGIN }, scripts });
  const keys = new RedisKeys('test');
  return {
    store: new RedisRoomStore(links, keys),
    ...redisFaults(masters),
    losePart: async (room, part) => void (await listening.commands.del(keys.room(room)[part])),
    async refusePublications(refused) {
      const rights = refused ? 'resetchannels' : 'allchannels';
      for (const redis of masters) await redis.acl('SETUSER', STORE_LOGIN.username, rights);
    },
    writtenInPart: (room, seq) => writtenInPart(listening.commands, keys.room(room).meta, seq),
    channelOf: (room) => keys.room(room).channel,
    async subscribe(channel) {
      const messages = collector();
      const { subscriber } = listening.shardOf(slotOf(channel))!;
      subscriber.on('smessage', (from, message) => from === channel && messages.add(message));
      await subscriber.ssubscribe(channel);
      return messages;
    },
    async stop() {
      await links.close();
      await listening.close();
    },
  };
}

roomStoreContract('Redis Cluster', clusterStore);
roomHistoryContract('Redis Cluster', clusterStore);

committerContract('Redis Cluster', async () => {
  const target = parseRedisTarget(servers.url);
  const watching = await ClusterLinks.connect({ target });
  const masters = watching.shards.map(({ commands }) => commands);
  for (const redis of masters) await redis.acl('SETUSER', ...STORE_USER);
  const opened: { links: ClusterLinks; proxies: ClusterProxies; failing: FailingScripts }[] = [];
  return {
    async openStore() {
      const proxies = await ClusterProxies.start(servers);
      const { translate } = proxies;
      const target = { ...parseRedisTarget(proxies.url), ...STORE_LOGIN };
      const links = await ClusterLinks.connect({ target, translate, scripts, commandTimeoutMs: 300 });
      const failing = new FailingScripts();
      opened.push({ links, proxies, failing });
      return {
        store: new RedisRoomStore(links, new RedisKeys('test'), failing),
        channels: callListener((channel) => links.shardOf(slotOf(channel))!.subscriber, 's'),
      };
    },
    async loseReplies(count) {
      const { links, proxies } = opened.at(-1)!;
      const commands = links.shards.map((shard) => shard.commands);
      await loseReplies({ commands, setMode: (mode) => proxies.setMode(mode), count });
    },
    failCalls: async (count) => void (opened.at(-1)!.failing.failures = count),
    async refusePublications(refused) {
      const rights = refused ? 'resetchannels' : 'allchannels';
      for (const redis of masters) await redis.acl('SETUSER', STORE_LOGIN.username, rights);
    },
    async setReachable(reachable) {
      await opened.at(-1)!.proxies.setMode(reachable ? 'pass' : 'cut');
    },
    async stop() {
      await watching.close();
      for (const { links, proxies } of opened) {
        await links.close();
        await proxies.stop();
      }
    },
  };
});
