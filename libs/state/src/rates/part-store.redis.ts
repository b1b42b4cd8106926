import { type DataLinks, LuaScript, type RedisKeys } from '@wss/redis';
import { toStoreError } from '../store/store-errors.js';
import {
  MOST_INSTANTS,
  partLifeUs,
  type PartReply,
  type PartRequest,
  PartStore,
  RETURN_US,
  SLICES,
} from './part-store.js';

/** Scripts of users' limits, to be preloaded. */
export const PART_SCRIPTS = {
  take: new LuaScript<[given: number, at: number, waitUs: number]>(
    new URL('./lua/rate_part.lua', import.meta.url),
  ),
};

/** Users' limits in Redis, a string for each. */
export class RedisPartStore extends PartStore {
  constructor(
    private readonly links: Pick<DataLinks, 'commands'>,
    private readonly keys: RedisKeys,
    private readonly scripts = PART_SCRIPTS,
  ) {
    super();
  }

  async take({ user, name, limit, windowMs, wanted, before }: PartRequest): Promise<PartReply> {
    const width = Math.ceil((windowMs * 1_000) / SLICES);
    const own = before ? [before.at, before.count, before.used] : ['', '', ''];
    const settings = [limit, windowMs * 1_000, partLifeUs(windowMs)];
    const args = [...settings, wanted, MOST_INSTANTS, width, RETURN_US, ...own];
    const [count, at, waitUs] = await this.scripts.take
      .run(this.links.commands, [this.keys.userLimit(user, name)], args)
      .catch((error: unknown) => Promise.reject(toStoreError(error) as Error));
    return count > 0 ? { at, count } : { waitUs };
  }
}
