/**
 * The addresses that clients reach: those of SERVER_HOST; without it all, or with `AUTH=none` those that only this
 * machine reaches. A node has the same rule.
 */
export function hostsOf({ SERVER_HOST, AUTH }) {
  if (SERVER_HOST) return [SERVER_HOST];
  return AUTH === 'none' ? ['127.0.0.1', '::1'] : ['0.0.0.0'];
}

/** The URL at which this machine reaches a server on such an address. */
export function urlOf(host, port) {
  const isAny = host === '0.0.0.0' || host === '::';
  return `http://${isAny ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host}:${port}/`;
}
