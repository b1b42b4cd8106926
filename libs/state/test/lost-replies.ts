import type { ProxyMode } from '@wss/testing';
import type { Redis } from 'ioredis';

/** Where replies are lost. */
export interface LostReplies {
  /** The links over which scripts are called. */
  readonly commands: readonly Redis[];
  setMode(mode: ProxyMode): Promise<void>;
  /** How many calls get no answer. */
  readonly count: number;
}

/** Loses the replies of the next calls of scripts, which are carried out. */
export async function loseReplies({ commands, setMode, count }: LostReplies): Promise<void> {
  await setMode('dropReplies');
  let seen = 0;
  for (const redis of commands) {
    const evalsha = redis.evalsha.bind(redis) as (...args: unknown[]) => Promise<unknown>;
    // The mode is lifted once the calls have been lost, so that the test needs no clock.
    Object.assign(redis, {
      evalsha: async (...args: unknown[]) => {
        try {
          return await evalsha(...args);
        } catch (error) {
          if (++seen === count) await setMode('pass');
          throw error;
        }
      },
    });
  }
}
