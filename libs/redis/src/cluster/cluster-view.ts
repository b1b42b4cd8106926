import { Redis } from 'ioredis';
import { openLink, type RedisLinkOptions } from '../links/open-link.js';
import type { RedisAddress } from '../links/redis-target.js';

/** A cluster as one of its servers sees it. */
export interface ClusterView {
  readonly from: RedisAddress;
  /** Reply to CLUSTER NODES. */
  readonly text: string;
  /** True if the server serves; it does not while it misses slots or a majority of the masters. */
  readonly ok: boolean;
}

/**
 * Asks a server how it sees its cluster.
 * @throws Error when it does not answer, or does not belong to a cluster
 */
export async function askView(redis: Redis, from: RedisAddress): Promise<ClusterView> {
  const [text, info] = await Promise.all([redis.cluster('NODES'), redis.cluster('INFO')]);
  return { from, text: String(text), ok: info.includes('cluster_state:ok') };
}

/**
 * Asks a server over a connection of its own.
 * @throws Error when it can't be reached, does not answer, or does not belong to a cluster
 */
export async function askSeed(options: RedisLinkOptions, address: RedisAddress): Promise<ClusterView> {
  const redis = openLink(options, 'seed', address);
  redis.options.retryStrategy = null;
  let linkError: Error | undefined;
  redis.on('error', (error: Error) => (linkError = error));
  try {
    await redis.connect();
    return await askView(redis, address);
  } catch (error) {
    throw linkError ?? error;
  } finally {
    // On a link that has ended already, ioredis would start a timer.
    if (redis.status !== 'end') redis.disconnect();
  }
}
