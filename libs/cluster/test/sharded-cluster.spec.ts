import { afterAll, beforeAll } from '@jest/globals';
import { ClusterFence, ClusterLinks, parseRedisTarget, RedisKeys } from '@wss/redis';
import { RedisRoomStore, ROOM_SCRIPTS } from '@wss/state';
import { RedisClusterServers, redisFaults } from '@wss/testing';
import { ShardedChannels } from '../src/index.js';
import { clusterContract } from './cluster.contract.js';
import { type EngineUnderTest, redisClusterEngine } from './engines.js';
import { jobQueueContract } from './jobs/job-queue.contract.js';
import { jobsContract } from './jobs/jobs.contract.js';
import { nodePresenceContract } from './presence/node-presence.contract.js';
import { redisClusterPresence } from './presence/presence-engines.js';
import { presenceStoreContract } from './presence/presence-store.contract.js';
import type { FeedEngine } from './rooms/feed-engine.js';
import { roomFeedContract, trimLog } from './rooms/room-feed.contract.js';
import { sessionStoreContract } from './sessions/session-store.contract.js';
import { standingStoreContract } from './users/standing-store.contract.js';
import { waitingSessionsContract } from './waiting/waiting-sessions.contract.js';

let servers: RedisClusterServers;
beforeAll(async () => {
  const args = ['--enable-debug-command', 'local', '--repl-diskless-sync-delay', '0'];
  servers = await RedisClusterServers.start({ replicas: 1, args });
});
afterAll(() => servers?.stop());

const engine = (): Promise<EngineUnderTest> => Promise.resolve(redisClusterEngine(servers));
clusterContract('Redis Cluster', engine);
sessionStoreContract('Redis Cluster', engine);
waitingSessionsContract('Redis Cluster', engine);
standingStoreContract('Redis Cluster', engine);
jobQueueContract('Redis Cluster', engine);
jobsContract('Redis Cluster', engine);
presenceStoreContract('Redis Cluster', () => redisClusterPresence(servers));
// Half a minute of waiting for leases, for what the store's suite and test/redis-cluster.spec.ts show in short.
if (process.env['CHAOS'] === 'long')
  nodePresenceContract('Redis Cluster', () => redisClusterPresence(servers));

roomFeedContract('Redis Cluster', async (): Promise<FeedEngine> => {
  const opened: ClusterLinks[] = [];
  const open = async (): Promise<ClusterLinks> => {
    const target = parseRedisTarget(servers.url);
    const links = await ClusterLinks.connect({
      target,
      scripts: Object.values(ROOM_SCRIPTS),
      withFence: true,
    });
    opened.push(links);
    return links;
  };
  const { shards, commands } = await open();
  const faults = redisFaults(shards.map(({ commands }) => commands));
  const keys = new RedisKeys('test');
  return {
    keys,
    async openNode() {
      const links = await open();
      const fence = new ClusterFence(links, keys.fence(String(opened.length)), 1);
      return {
        store: new RedisRoomStore(links, keys, ROOM_SCRIPTS, { fence }),
        channels: new ShardedChannels(links),
      };
    },
    checkpoint: () => faults.checkpoint(),
    failOver: () => faults.failOver(),
    trim: (room, upTo) => trimLog(commands, keys.room(room).log, upTo),
    async wipe() {
      await faults.failOver();
      await faults.wipe();
    },
    async stop() {
      for (const links of opened) await links.close();
    },
  };
});
