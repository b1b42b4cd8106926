import { randomBytes } from 'node:crypto';
import { parseRedisTarget } from '@wss/redis';
import { Cluster, Redis } from 'ioredis';

/** Keys that one reply of SCAN is asked for. */
const KEYS_AT_A_TIME = 1_000;
const WITHIN_MS = 5_000;

/** A name that no other cluster on the same Redis has. */
export function newNamespace(): string {
  return `test-${randomBytes(8).toString('hex')}`;
}

/**
 * Removes all keys of a namespace from the servers behind an address, as nodes take it.
 * @throws Error when a server is out of reach or refuses a command; further keys may be left then
 */
export async function removeNamespace(url: string, namespace: string): Promise<void> {
  const link = open(url);
  link.on('error', () => undefined);
  try {
    await link.connect();
    const masters = link instanceof Cluster ? link.nodes('master') : [link];
    for (const master of masters) await removeKeys(master, `${namespace}:*`);
  } catch (cause) {
    throw new Error(`the keys ${namespace}:* could not be removed from your Redis`, { cause });
  } finally {
    link.disconnect();
  }
}

async function removeKeys(redis: Redis, pattern: string): Promise<void> {
  const pages = redis.scanStream({ match: pattern, count: KEYS_AT_A_TIME });
  // One key a command: the keys of a cluster's server are in many hash slots.
  for await (const keys of pages as AsyncIterable<string[]>) {
    await Promise.all(keys.map((key) => redis.unlink(key)));
  }
}

function open(url: string): Redis | Cluster {
  const { kind, hosts, master, username, password, db, tls } = parseRedisTarget(url);
  const credentials = { username, password, ...(tls && { tls: {} }) };
  const options = {
    ...credentials,
    lazyConnect: true,
    connectTimeout: WITHIN_MS,
    commandTimeout: WITHIN_MS,
    maxRetriesPerRequest: 1,
    retryStrategy: () => null,
  };
  if (kind === 'cluster') {
    return new Cluster([...hosts], {
      lazyConnect: true,
      clusterRetryStrategy: () => null,
      redisOptions: credentials,
    });
  }
  if (kind === 'sentinel') return new Redis({ ...options, db, sentinels: [...hosts], name: master });
  return new Redis({ ...options, db, ...hosts[0]! });
}
