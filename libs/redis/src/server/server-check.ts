import type { Redis } from 'ioredis';
import { deniedCalls, isDenied } from './rights.js';

/** Effects of a Redis server's settings on the promises. */
export interface ServerCheck {
  /** A promise can't be kept: the node must not start, and takes no new clients. */
  readonly errors: readonly string[];
  /** A promise is weaker than it could be. */
  readonly warnings: readonly string[];
  /** For the log, e.g. `7.0.15`. */
  readonly version: string;
  /** The server's run id, new at each start. */
  readonly runId: string;
  /** Number of keys that the server deleted to free memory since it started. */
  readonly evicted: number;
}

/** The facts that are known of a server under check. */
export interface ServerCheckOptions {
  /** True if it is known to be a master of a Redis Cluster. Default false. */
  readonly clustered?: boolean;
  /** Prefix of the keys. Default `wss`. */
  readonly namespace?: string;
}

/** Asks a server for everything that the promises depend on. */
export async function checkServer(
  redis: Redis,
  { clustered = false, namespace = 'wss' }: ServerCheckOptions = {},
): Promise<ServerCheck> {
  const text = await redis.info().catch((error: Error) => {
    if (isDenied(error)) return undefined;
    throw error;
  });
  if (text === undefined) {
    const error =
      'INFO is forbidden, but the node needs it to know the history that Redis is on; allow the user +info';
    return { errors: [error], warnings: [], version: 'unknown', runId: '', evicted: 0 };
  }
  const info = parseInfo(text);
  const errors: string[] = [];
  const warnings: string[] = [];
  const version = info.get('redis_version') ?? 'unknown';
  checkVersion(version, info, errors, warnings);
  checkMemory(info, errors);
  checkCluster(info, clustered, errors, warnings);
  if (!(await replicationIdIsReadable(redis))) {
    errors.push(
      "a script can't read master_replid from INFO replication; allow the user +info, or use plain Redis",
    );
  }
  await checkRights(redis, namespace, errors);
  await checkPersistence(redis, info, warnings);
  const evicted = Number(info.get('evicted_keys') ?? 0);
  return { errors, warnings, version, runId: info.get('run_id') ?? '', evicted };
}

function checkVersion(
  version: string,
  info: Map<string, string>,
  errors: string[],
  warnings: string[],
): void {
  if (!(Number.parseInt(version, 10) >= 7)) errors.push(`Redis ${version} is too old; 7.0 is the minimum`);
  const other = info.get('server_name') ?? (info.has('dragonfly_version') ? 'dragonfly' : 'redis');
  if (other !== 'redis')
    warnings.push(`${other} is compatible with Redis, but the promises were never tested on it`);
}

function checkCluster(
  info: Map<string, string>,
  clustered: boolean,
  errors: string[],
  warnings: string[],
): void {
  if (!clustered && info.get('cluster_enabled') === '1') {
    errors.push(
      'it belongs to a Redis Cluster; name several of its servers, as in redis://host1,host2, or one as redis+cluster://host',
    );
  }
  if (clustered && info.get('connected_slaves') === '0')
    warnings.push('a master of the cluster has no replica: when it dies, its rooms are out of reach');
}

function checkMemory(info: Map<string, string>, errors: string[]): void {
  const policy = info.get('maxmemory_policy');
  if (policy === undefined || policy === 'noeviction') return;
  errors.push(
    `maxmemory-policy is ${policy}, which deletes rooms silently when memory is short; set noeviction`,
  );
}

async function replicationIdIsReadable(redis: Redis): Promise<boolean> {
  const script =
    "#!lua flags=no-writes,allow-stale\nreturn string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''";
  try {
    return ((await redis.eval(script, 0)) as string).length === 40;
  } catch (error) {
    // Any other failure, e.g. of a busy server, says nothing about it.
    if (isDenied(error)) return false;
    throw error;
  }
}

async function checkRights(redis: Redis, namespace: string, errors: string[]): Promise<void> {
  const denied = await deniedCalls(redis, `${namespace}:{check}:m`);
  if (denied.length === 0) return;
  const names = denied.map(
    (call) => `+${/^X(?:GROUP|INFO) \w+|^\w+/.exec(call)![0].toLowerCase().replace(' ', '|')}`,
  );
  errors.push(`scripts lack rights; allow the user ${names.join(' ')} on ~${namespace}:*`);
}

async function checkPersistence(redis: Redis, info: Map<string, string>, warnings: string[]): Promise<void> {
  const setting = async (name: string): Promise<string | undefined> => {
    // CONFIG may be forbidden; then nothing is known.
    const pair = await redis.config('GET', name).catch(() => []);
    return (pair as string[])[1];
  };
  const aof = info.get('aof_enabled') === '1';
  if (!aof && (await setting('save')) === '') {
    warnings.push('persistence is off: a restart of Redis loses every room; set appendonly yes');
  } else if (!aof) {
    warnings.push('the append-only file is off: a restart of Redis loses everything after the last snapshot');
  }
  const replicas = Number(info.get('connected_slaves') ?? 0);
  if (replicas > 0 && (await setting('min-replicas-to-write')) === '0') {
    warnings.push(
      'min-replicas-to-write is 0: a master cut off from its replicas goes on accepting writes that a failover will lose',
    );
  }
}

/** Reads the lines `name:value` of an INFO reply. */
function parseInfo(info: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of info.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}
