/** Where a server listens. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/** A Redis set-up as `REDIS_SERVER` names it. */
export interface RedisTarget {
  /** `single`: one server. `sentinel`: the master that sentinels know. */
  readonly kind: 'single' | 'sentinel';
  /** The server; or sentinels, at least one that answers. */
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
const PORTS = { single: 6_379, sentinel: 26_379 };

/**
 * Reads the address of a Redis set-up. With TLS the scheme begins with `rediss`; user, password and a last `/db` are
 * optional.
 *
 * - `redis://host:6379`: one server.
 * - `redis+sentinel://host1,host2/name`: the master of that name; sentinels listen on 26379 by default.
 *
 * @throws Error that names what is wrong and the form wanted, never the password.
 */
export function parseRedisTarget(url: string): RedisTarget {
  const parts = /^([a-z+]+):\/\/(?:([^/]*)@)?([^/@]*)(?:\/(.*))?$/i.exec(url.trim());
  if (!parts) throw new Error(`it is no URL; expected ${SINGLE} or ${SENTINEL}`);
  const [, scheme = '', credentials = '', hosts = '', path = ''] = parts;
  const [protocol, mode] = scheme.toLowerCase().split('+');
  if (!['redis', 'rediss'].includes(protocol!) || ![undefined, 'sentinel'].includes(mode)) {
    throw new Error(`its scheme is "${scheme}"; expected ${SINGLE}, with TLS rediss://…, or ${SENTINEL}`);
  }
  const kind = mode === 'sentinel' ? 'sentinel' : 'single';
  const common = { ...readCredentials(credentials), tls: protocol === 'rediss' };
  const addresses = hosts.split(',').map((host) => readAddress(host, PORTS[kind]));
  if (kind === 'sentinel') return { kind, hosts: addresses, ...common, ...readMaster(path) };
  if (addresses.length > 1) throw new Error(`it names several hosts; expected ${SINGLE} or ${SENTINEL}`);
  return { kind, hosts: addresses, ...common, db: readDatabase(path) };
}

/** The target for messages, without user and password. */
export function describeTarget({ kind, hosts, master, db, tls }: RedisTarget): string {
  const scheme = `${tls ? 'rediss' : 'redis'}${kind === 'sentinel' ? '+sentinel' : ''}`;
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
  if (text === '') throw new Error(`it names no host; expected ${SINGLE} or ${SENTINEL}`);
  const [, ipv6, name, port] = /^(?:\[([\da-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = ipv6 ?? name;
  const number = port === undefined ? defaultPort : Number(port);
  if (host === undefined || number < 1 || number > 65_535) {
    throw new Error('a host in it is none; expected host, host:port or [ipv6]:port');
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
