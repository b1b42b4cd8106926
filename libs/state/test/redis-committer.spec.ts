import { parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { RedisServer, TcpProxy } from '@wss/testing';
import { RedisRoomStore, ROOM_SCRIPTS } from '../src/index.js';
import { committerContract } from './committer.contract.js';

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
      return new RedisRoomStore(links, new RedisKeys('test'));
    },
    async loseReplies(count) {
      const { links, proxy } = opened.at(-1)!;
      await proxy.setMode('dropReplies');
      let seen = 0;
      const { commands } = links;
      const evalsha = commands.evalsha.bind(commands) as (...args: unknown[]) => Promise<unknown>;
      // The mode is lifted once the calls have been lost, so that the test needs no clock.
      Object.assign(commands, {
        evalsha: async (...args: unknown[]) => {
          try {
            return await evalsha(...args);
          } catch (error) {
            if (++seen === count) await proxy.setMode('pass');
            throw error;
          }
        },
      });
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
