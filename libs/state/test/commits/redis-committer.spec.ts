import { parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { RedisServer, TcpProxy } from '@wss/testing';
import { RedisRoomStore, ROOM_SCRIPTS } from '../../src/index.js';
import { committerContract } from './committer.contract.js';
import { FailingScripts } from '../store/failing-scripts.js';
import { loseReplies } from './lost-replies.js';
import { STORE_LOGIN, STORE_USER } from '../store/room-store-engines.js';
import { callListener } from './call-listener.js';

committerContract('Redis', async () => {
  const server = await RedisServer.start();
  const scripts = Object.values(ROOM_SCRIPTS);
  await server.cli('ACL', 'SETUSER', ...STORE_USER);
  const opened: { links: RedisLinks; proxy: TcpProxy; failing: FailingScripts }[] = [];
  return {
    async openStore() {
      const proxy = await TcpProxy.start({ to: server.port });
      const target = { ...parseRedisTarget(proxy.url), ...STORE_LOGIN };
      const links = await RedisLinks.connect({ target, scripts, commandTimeoutMs: 300 });
      const failing = new FailingScripts();
      opened.push({ links, proxy, failing });
      return {
        store: new RedisRoomStore(links, new RedisKeys('test'), failing),
        channels: callListener(() => links.subscriber),
      };
    },
    async loseReplies(count) {
      const { links, proxy } = opened.at(-1)!;
      await loseReplies({ commands: [links.commands], setMode: (mode) => proxy.setMode(mode), count });
    },
    failCalls: async (count) => void (opened.at(-1)!.failing.failures = count),
    refusePublications: async (refused) => {
      await server.cli('ACL', 'SETUSER', STORE_LOGIN.username, refused ? 'resetchannels' : 'allchannels');
    },
    async setReachable(reachable) {
      await opened.at(-1)!.proxy.setMode(reachable ? 'pass' : 'cut');
    },
    async stop() {
      for (const { links, proxy } of opened) {
        await links.close();
        await proxy.stop();
      }
      await server.stop();
    },
  };
});
