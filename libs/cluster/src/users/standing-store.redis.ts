import type { Standing } from '@wss/core';
import {
  type DataLinks,
  type Fence,
  isDigits,
  isDigitsOr,
  isListOf,
  isText,
  LuaScript,
  type RedisKeys,
  strangeReply,
  toRedisError,
} from '@wss/redis';
import {
  GENERATION_MS,
  type RaisedGeneration,
  type ReadStanding,
  type RevokedStanding,
  StandingStore,
} from './standing-store.js';

/** Scripts of the standings, to be preloaded. */
export const STANDING_SCRIPTS = {
  read: new LuaScript<[revokedAt: string, disconnected: string, newest: string, now: string]>(
    new URL('./lua/user_read.lua', import.meta.url),
  ).replies(isListOf(isDigitsOr(''), isDigits, isDigits, isDigits)),
  raise: new LuaScript<[revokedAt: string, disconnected: string, newest: string]>(
    new URL('./lua/user_raise.lua', import.meta.url),
  ).replies(isListOf(isDigitsOr(''), isDigits, isDigits)),
  revoke: new LuaScript<[revokedAt: string, disconnected: string, newest: string, history: string]>(
    new URL('./lua/user_revoke.lua', import.meta.url),
  ).replies(isListOf(isDigits, isDigits, isDigits, isText)),
};

const isRecord = isListOf(isDigitsOr(null), isDigitsOr(null), isDigitsOr(null));

const FIELDS = { disconnected: 'd', newest: 'g' } as const;

/** Standings in Redis. */
export class RedisStandingStore extends StandingStore {
  constructor(
    private readonly links: Pick<DataLinks, 'commands'>,
    private readonly keys: RedisKeys,
    /** Absent: nothing is proven to survive a failover. */
    private readonly fence?: Fence,
  ) {
    super();
  }

  async read(user: string): Promise<ReadStanding> {
    const reply = await STANDING_SCRIPTS.read.run(this.links.commands, [this.keys.standing(user)], []);
    return { standing: standingOf(reply), now: Number(reply[3]) };
  }

  async of(users: readonly string[]): Promise<Standing[]> {
    const pipeline = this.links.commands.pipeline();
    for (const user of users) pipeline.hmget(this.keys.standing(user), 'r', 'd', 'g');
    const results = await pipeline.exec().catch((error: unknown) => Promise.reject(toRedisError(error)));
    return (results ?? []).map(([error, fields]) => {
      if (error) throw toRedisError(error);
      if (!isRecord(fields)) throw strangeReply();
      return standingOf(fields as (string | null)[]);
    });
  }

  async raise(user: string, which: RaisedGeneration, least?: number): Promise<Standing> {
    const args = [FIELDS[which], least ?? '', GENERATION_MS];
    return standingOf(
      await STANDING_SCRIPTS.raise.run(this.links.commands, [this.keys.standing(user)], args),
    );
  }

  async revoke(user: string, keepMs: number, at?: number): Promise<RevokedStanding> {
    const keys = [this.keys.standing(user)];
    const reply = await STANDING_SCRIPTS.revoke.run(this.links.commands, keys, [at ?? '', keepMs]);
    return { ...standingOf(reply), revokedAt: Number(reply[0]), history: reply[3] };
  }

  durable(user: string, history: string, withinMs: number): Promise<boolean> {
    return this.fence?.wait(history, withinMs, this.keys.standing(user)) ?? Promise.resolve(false);
  }
}

function standingOf([revokedAt, disconnected, newest]: readonly (string | null)[]): Standing {
  return {
    disconnected: Number(disconnected ?? 0),
    newest: Number(newest ?? 0),
    ...(revokedAt && { revokedAt: Number(revokedAt) }),
  };
}
