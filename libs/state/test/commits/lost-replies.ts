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

/** Loses the replies of the next calls of scripts, which are carried out, and of questions for the time. */
export async function loseReplies({ commands, setMode, count }: LostReplies): Promise<void> {
  await setMode('dropReplies');
  let seen = 0;
  for (const redis of commands) {
    // The mode is lifted once the calls have been lost, so that the test needs no clock.
    const counted =
      (call: (...args: unknown[]) => Promise<unknown>) =>
      async (...args: unknown[]): Promise<unknown> => {
        try {
          return await call(...args);
        } catch (error) {
          if (++seen === count) await setMode('pass');
          throw error;
        }
      };
    const { evalsha, time } = redis as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    Object.assign(redis, { evalsha: counted(evalsha!.bind(redis)), time: counted(time!.bind(redis)) });
  }
}
