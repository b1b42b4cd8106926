import { parseRedisTarget, RedisKeys, RedisLinks, ReplicationFence } from '@wss/redis';
import { RedisRoomStore, ROOM_SCRIPTS } from '@wss/state';
import { redisFaults, RedisServer, replicasInStep } from '@wss/testing';
import { RedisChannels } from '../../src/index.js';
import { roomFeedContract, trimLog } from './room-feed.contract.js';

roomFeedContract('Redis', async () => {
  const args = ['--enable-debug-command', 'local', '--repl-diskless-sync-delay', '0'];
  const server = await RedisServer.start({ args });
  const replica = await RedisServer.start({
    args: [...args, '--replicaof', '127.0.0.1', String(server.port)],
  });
  await replicasInStep([server, replica]);
  const target = parseRedisTarget(server.url);
  const scripts = Object.values(ROOM_SCRIPTS);
  const opened: RedisLinks[] = [];
  const open = async (): Promise<RedisLinks> => {
    const links = await RedisLinks.connect({ target, scripts, withFence: true });
    opened.push(links);
    return links;
  };
  const { commands } = await open();
  const faults = redisFaults([commands]);
  const keys = new RedisKeys('test');
  return {
    keys,
    async openNode() {
      const links = await open();
      const fence = new ReplicationFence(links.fence!, keys.fence(String(opened.length)), 1);
      return {
        store: new RedisRoomStore(links, keys, ROOM_SCRIPTS, { fence }),
        channels: new RedisChannels(links),
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
      await replica.stop();
      await server.stop();
    },
  };
});
