import { createHash } from 'node:crypto';
import type { Commands } from './data-links.js';
import { luaText } from './lua-text.js';
import type { ReplyCheck } from '../server/replies.js';
import { RedisError, strangeReply, toRedisError } from './redis-errors.js';

/** Where a script runs. */
type ScriptLink = Pick<Commands, 'status' | 'evalsha' | 'eval'>;

/**
 * One atomic operation in Lua: called by its hash, sent whole when a Redis server does not know it yet.
 *
 * EVALSHA rather than FUNCTION: it is content-addressed, so two versions of the application live side by side
 * during a rolling update.
 */
export class LuaScript<Reply> {
  readonly source: string;
  readonly sha: string;
  private isReply: ReplyCheck = () => true;

  /** @param files read once and joined in this order; the first begins with `#!lua`. */
  constructor(...files: URL[]) {
    this.source = files.map(luaText).join('\n');
    this.sha = createHash('sha1').update(this.source).digest('hex');
  }

  /** Makes the script refuse replies that do not pass this check, before anybody remembers something of them. */
  replies(check: ReplyCheck): this {
    this.isReply = check;
    return this;
  }

  /**
   * Runs the script.
   * @param keys all keys that it touches, in one hash slot
   * @throws RedisError whose failure says if it may have run.
   */
  async run(redis: ScriptLink, keys: readonly string[], args: readonly (string | number)[]): Promise<Reply> {
    if (redis.status !== 'ready') throw new RedisError('unsent', `the link to Redis is ${redis.status}`);
    try {
      return this.checked(await redis.evalsha(this.sha, keys.length, ...keys, ...args));
    } catch (error) {
      if (!String(error).includes('NOSCRIPT')) throw toRedisError(error);
    }
    return this.runWhole(redis, keys, args);
  }

  /** NOSCRIPT proves that nothing ran, so sending the text repeats nothing. */
  private async runWhole(
    redis: ScriptLink,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<Reply> {
    if (redis.status !== 'ready') throw new RedisError('unsent', `the link to Redis is ${redis.status}`);
    try {
      return this.checked(await redis.eval(this.source, keys.length, ...keys, ...args));
    } catch (error) {
      throw toRedisError(error);
    }
  }

  private checked(reply: unknown): Reply {
    if (this.isReply(reply)) return reply as Reply;
    throw strangeReply();
  }
}
