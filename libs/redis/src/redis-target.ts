/** A Redis server as `REDIS_SERVER` names it. */
export interface RedisTarget {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  /** Database number; note that it does not separate channels, the namespace does. */
  readonly db: number;
  readonly tls: boolean;
}

/**
 * Reads a Redis URL: `redis://` or `rediss://` (TLS), optionally with user, password, port (default 6379) and `/db`.
 * @throws Error that names what is wrong, never the password.
 */
export function parseRedisTarget(url: string): RedisTarget {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new Error('it is no URL; expected redis://host:6379');
  }
  if (parsed.protocol !== 'redis:' && parsed.protocol !== 'rediss:') {
    throw new Error(`its scheme is "${parsed.protocol.slice(0, -1)}"; expected redis or rediss`);
  }
  if (parsed.hostname === '') throw new Error('it names no host');
  const path = parsed.pathname.slice(1);
  if (!/^\d{0,4}$/.test(path)) throw new Error('its path must be a database number');
  return {
    host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: parsed.port === '' ? 6379 : Number(parsed.port),
    ...(parsed.username && { username: decodeURIComponent(parsed.username) }),
    ...(parsed.password && { password: decodeURIComponent(parsed.password) }),
    db: Number(path || 0),
    tls: parsed.protocol === 'rediss:',
  };
}

/** The target for messages, without user and password. */
export function describeTarget({ host, port, db, tls }: RedisTarget): string {
  const address = host.includes(':') ? `[${host}]` : host;
  return `${tls ? 'rediss' : 'redis'}://${address}:${port}${db ? `/${db}` : ''}`;
}
