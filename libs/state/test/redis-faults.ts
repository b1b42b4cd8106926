import type { Redis } from 'ioredis';
import type { StoreUnderTest } from './room-store.contract.js';

type Faults = Pick<StoreUnderTest, 'newHistory' | 'checkpoint' | 'loseSinceCheckpoint' | 'wipe'>;

/** What can happen to the data of Redis servers; they must allow DEBUG. */
export function redisFaults(servers: readonly Redis[]): Faults {
  let replicas = servers.map(() => new Map<string, Buffer>());
  const newHistory = async (): Promise<void> => {
    for (const redis of servers) await redis.call('DEBUG', 'CHANGE-REPL-ID');
  };
  const wipe = async (): Promise<void> => {
    for (const redis of servers) await redis.flushall();
  };
  return {
    newHistory,
    wipe,
    async checkpoint() {
      replicas = [];
      for (const redis of servers) {
        const replica = new Map<string, Buffer>();
        for (const key of await redis.keys('*')) replica.set(key, (await redis.dumpBuffer(key))!);
        replicas.push(replica);
      }
    },
    async loseSinceCheckpoint() {
      await wipe();
      for (const [i, redis] of servers.entries()) {
        for (const [key, dump] of replicas[i]!) await redis.restore(key, 0, dump);
      }
      await newHistory();
    },
  };
}
