import type { Redis } from 'ioredis';

/** Faults that can befall the data of Redis servers. */
export interface RedisFaults {
  /** The servers go on with their data under another replication id, as after a restart. */
  newHistory(): Promise<void>;
  /** Remembers the data as replicas have it now. */
  checkpoint(): Promise<void>;
  /** Loses everything written since the checkpoint, as when replicas take over. */
  loseSinceCheckpoint(): Promise<void>;
  /** Fails over: writes since the checkpoint are lost; without a new checkpoint nothing is. */
  failOver(): Promise<void>;
  /** Everything is lost; the history stays. */
  wipe(): Promise<void>;
}

/** Has the keys of ARGV and no others: name, end and dump of each. */
const RESTORE = `#!lua flags=allow-cross-slot-keys
redis.call('FLUSHALL')
for i = 1, #ARGV, 3 do redis.call('RESTORE', ARGV[i], ARGV[i + 1], ARGV[i + 2], 'ABSTTL') end`;

/** @param servers links to all masters; they must allow DEBUG */
export function redisFaults(servers: readonly Redis[]): RedisFaults {
  let replicas = servers.map(() => new Map<string, Copy>());
  let kept = false;
  const newHistory = async (): Promise<void> => {
    for (const redis of servers) await redis.call('DEBUG', 'CHANGE-REPL-ID');
  };
  const loseSinceCheckpoint = async (): Promise<void> => {
    for (const [i, redis] of servers.entries()) {
      const copies = [...replicas[i]!].flatMap(([key, { dump, endsAt }]) => [key, endsAt, dump]);
      // Restores at once, so that the new masters have less data from the first moment of their history on. It is a
      // script, since a cluster has no transactions over several slots.
      const replies = await redis
        .multi()
        .call('EVAL', RESTORE, 0, ...copies)
        .call('DEBUG', 'CHANGE-REPL-ID')
        .exec();
      for (const [error] of replies!) if (error) throw error;
    }
  };
  return {
    newHistory,
    loseSinceCheckpoint,
    async failOver() {
      await (kept ? loseSinceCheckpoint() : newHistory());
      kept = false;
    },
    async wipe() {
      for (const redis of servers) await redis.flushall();
    },
    async checkpoint() {
      replicas = await Promise.all(servers.map(dumpAll));
      kept = true;
    },
  };
}

interface Copy {
  readonly dump: Buffer;
  /** Ms since 1970, 0 never. */
  readonly endsAt: number;
}

async function dumpAll(redis: Redis): Promise<Map<string, Copy>> {
  const copies = new Map<string, Copy>();
  for (const key of await redis.keys('*')) {
    const dump = await redis.dumpBuffer(key);
    const endsAt = await redis.pexpiretime(key);
    // It may have expired meanwhile.
    if (dump && endsAt > -2) copies.set(key, { dump, endsAt: Math.max(0, endsAt) });
  }
  return copies;
}
