/** Where a server listens. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/** A Redis set-up as its URL names it. */
export interface RedisTarget {
  /** `single`: one server. `sentinel`: the master that sentinels know. `cluster`: the masters of a Redis Cluster. */
  readonly kind: 'single' | 'sentinel' | 'cluster';
  /** The server; or sentinels, or servers of the cluster, at least one that answers. */
  readonly hosts: readonly RedisAddress[];
  /** Name of the master, with sentinels. */
  readonly master?: string;
  readonly username?: string;
  readonly password?: string;
  /** Database number; note that it does not separate channels, the namespace does. */
  readonly db: number;
  readonly tls: boolean;
}

const SINGLE = 'redis://host:6379';
const SENTINEL = 'redis+sentinel://host1:26379,host2:26379/master';
const CLUSTER = 'redis://host1:6379,host2:6379';
const FORMS = `${SINGLE}, ${CLUSTER} or ${SENTINEL}`;
const PORTS = { single: 6_379, sentinel: 26_379, cluster: 6_379 };

/**
 * Reads the address of a Redis set-up. With TLS the scheme begins with `rediss`; user, password and a last `/db` are
 * optional.
 *
 * - `redis://host:6379`: one server.
 * - `redis+sentinel://host1,host2/name`: the master of that name; sentinels listen on 26379 by default.
 * - `redis://host1,host2` or `redis+cluster://host`: the Redis Cluster that these servers, or this one, belong to.
 *
 * @throws Error that names what is wrong and the form wanted, never the password.
 */
export function parseRedisTarget(url: string): RedisTarget {
  const parts = /^([a-z+]+):\/\/(?:([^/]*)@)?([^/@]*)(?:\/(.*))?$/i.exec(url.trim());
  if (!parts) throw new Error(`it is not a URL; expected ${FORMS}`);
  const [, scheme = '', credentials = '', hosts = '', path = ''] = parts;
  const [protocol, mode] = scheme.toLowerCase().split('+');
  if (!['redis', 'rediss'].includes(protocol!) || ![undefined, 'sentinel', 'cluster'].includes(mode)) {
    throw new Error(`its scheme is "${scheme}"; expected ${FORMS}, with TLS rediss://…`);
  }
  const kind = kindOf(mode, hosts);
  const common = { ...readCredentials(credentials), tls: protocol === 'rediss' };
  const addresses = hosts.split(',').map((host) => readAddress(host, PORTS[kind]));
  if (kind === 'sentinel') return { kind, hosts: addresses, ...common, ...readMaster(path) };
  const db = readDatabase(path);
  if (kind === 'cluster' && db > 0)
    throw new Error(`a Redis Cluster has no database ${db}; expected ${CLUSTER}`);
  return { kind, hosts: addresses, ...common, db };
}

function kindOf(mode: string | undefined, hosts: string): RedisTarget['kind'] {
  if (mode === 'sentinel' || mode === 'cluster') return mode;
  return hosts.includes(',') ? 'cluster' : 'single';
}

/** The target for messages, without user and password. */
export function describeTarget({ kind, hosts, master, db, tls }: RedisTarget): string {
  const scheme = `${tls ? 'rediss' : 'redis'}${kind === 'single' ? '' : `+${kind}`}`;
  const name = master === undefined ? '' : `/${master}`;
  return `${scheme}://${hosts.map(describeAddress).join(',')}${name}${db ? `/${db}` : ''}`;
}

/** `host:port`. */
export function describeAddress({ host, port }: RedisAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function readCredentials(text: string): Pick<RedisTarget, 'username' | 'password'> {
  const colon = text.indexOf(':');
  const [user, password] = colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
  try {
    return {
      ...(user && { username: decodeURIComponent(user) }),
      ...(password && { password: decodeURIComponent(password) }),
    };
  } catch {
    throw new Error('its user or password is not percent-encoded: write % as %25, @ as %40, / as %2F');
  }
}

function readAddress(text: string, defaultPort: number): RedisAddress {
  if (text === '') throw new Error(`it names no host; expected ${FORMS}`);
  const [, ipv6, name, port] = /^(?:\[([\da-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = ipv6 ?? name;
  const number = port === undefined ? defaultPort : Number(port);
  if (host === undefined || number < 1 || number > 65_535) {
    throw new Error('it contains an invalid host; expected host, host:port or [ipv6]:port');
  }
  return { host, port: number };
}

function readMaster(path: string): Pick<RedisTarget, 'master' | 'db'> {
  const [name = '', db = '', ...more] = path.split('/');
  if (!/^[\w.-]+$/.test(name) || more.length > 0) {
    throw new Error(`it names no master; expected ${SENTINEL}`);
  }
  return { master: name, db: readDatabase(db) };
}

function readDatabase(path: string): number {
  if (!/^\d{0,4}$/.test(path)) throw new Error(`its path must be a database number, as in ${SINGLE}/0`);
  return Number(path || 0);
}
