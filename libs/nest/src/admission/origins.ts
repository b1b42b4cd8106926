import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { UpgradeRefusal } from '@wss/messaging';

/** Names by which browsers reach their own machine. */
const LOCAL = /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** Addresses of a connection that began on the node's own machine. */
const LOOPBACK = /^(::ffff:)?127\.|^::1$/;

/** Longest origin that is logged, characters. */
const MOST_CHARACTERS = 100;

const REMEDY = 'to let its pages connect, add it to the option origins, of the gateway ALLOWED_ORIGINS';

/** Origins that may connect. */
export interface OriginRules {
  /** A list, `*` among it for all; or `'local'`: any port of this host and of the browser's own machine. */
  readonly allowed: readonly string[] | 'local';
  /**
   * False if nothing but the origin protects the node: then a page of the request's own host counts as the node's only
   * if its name can't be made to lead here. A foreign name on a connection within this machine may be another site's
   * that was rebound to it (DNS rebinding).
   */
  readonly trustsHost: boolean;
}

/**
 * The origins whose web pages may connect. A request without an `Origin` does not come from a browser and may
 * connect, as may a page of the same host; other origins need to be on the list.
 */
export class Origins {
  constructor(private readonly rules: OriginRules) {}

  /** @throws UpgradeRefusal 403 */
  check({ headers: { origin, host }, socket }: IncomingMessage): void {
    if (origin === undefined) return;
    const from = urlOf(origin);
    const isOwn = from !== undefined && from.hostname === urlOf(`http://${host}`)?.hostname;
    const isRebound = isOwn && !this.rules.trustsHost && canBeRebound(from.hostname, socket.localAddress);
    if (!isRebound && from?.host === host) return;
    if (this.isListed(origin) || this.isLocal(from, isOwn && !isRebound)) return;
    const why = isRebound
      ? 'is a foreign name for this machine, which DNS rebinding can make, so it is not trusted'
      : 'is not allowed';
    throw new UpgradeRefusal(403, 'this origin may not connect', {
      check: 'origin',
      log: `the origin ${shown(origin, from)} ${why}; ${REMEDY}`,
    });
  }

  private isListed(origin: string): boolean {
    const { allowed } = this.rules;
    return allowed !== 'local' && (allowed.includes(origin) || allowed.includes('*'));
  }

  private isLocal(from: URL | undefined, isOwn: boolean): boolean {
    return this.rules.allowed === 'local' && from !== undefined && (isOwn || LOCAL.test(from.hostname));
  }
}

/**
 * Returns true if a request comes under a foreign name on a connection within this machine. Another site's DNS can lead its
 * name here (DNS rebinding); its pages then read the answers as if they were their own. Where nothing else protects an
 * answer, refuse such requests, except for names that you know, e.g. of a tunnel or a proxy that runs beside.
 */
export function isReboundHost({ headers: { host }, socket }: IncomingMessage): boolean {
  const hostname = host === undefined ? undefined : urlOf(`http://${host}`)?.hostname;
  return hostname !== undefined && canBeRebound(hostname, socket.localAddress);
}

/** True if another site's DNS can lead its name to this machine, on a connection within it. */
function canBeRebound(hostname: string, localAddress = ''): boolean {
  const isAddress = isIP(hostname.replace(/^\[|\]$/g, '')) > 0;
  return !isAddress && !LOCAL.test(hostname) && LOOPBACK.test(localAddress);
}

/** An origin for the log: it is the client's text, so only what a browser could send is shown. */
function shown(origin: string, from: URL | undefined): string {
  if (origin === 'null') return 'null (of a file or a sandboxed frame)';
  return from?.origin === origin && origin.length <= MOST_CHARACTERS ? origin : 'of a page';
}

function urlOf(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
