import { parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { RedisServer, TcpProxy } from '@wss/testing';
import { RedisRoomStore, ROOM_SCRIPTS } from '../src/index.js';
import { committerContract } from './committer.contract.js';
import { loseReplies } from './lost-replies.js';
import { turnListener } from './turn-listener.js';

committerContract('Redis', async () => {
  const server = await RedisServer.start();
  const scripts = Object.values(ROOM_SCRIPTS);
  const opened: { links: RedisLinks; proxy: TcpProxy }[] = [];
  return {
    async openStore() {
      const proxy = await TcpProxy.start({ to: server.port });
      const target = parseRedisTarget(proxy.url);
      const links = await RedisLinks.connect({ target, scripts, commandTimeoutMs: 300 });
      opened.push({ links, proxy });
      return {
        store: new RedisRoomStore(links, new RedisKeys('test')),
        turns: turnListener(() => links.subscriber),
      };
    },
    async loseReplies(count) {
      const { links, proxy } = opened.at(-1)!;
      await loseReplies({ commands: [links.commands], setMode: (mode) => proxy.setMode(mode), count });
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
