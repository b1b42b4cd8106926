import type { IncomingMessage } from 'node:http';
import { addressKey, canonicalAddress, Networks } from '../ports/networks.js';

/** Networks in which a proxy may stand of which nobody told. */
const PRIVATE = new Networks([
  ...['127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '169.254.0.0/16'],
  ...['::1', 'fc00::/7', 'fe80::/10'],
]);

/** Where an upgrade request comes from. */
export interface RequestOrigin {
  /** Undefined if the client has gone. */
  readonly address: string | undefined;
  /** The part of the address that counts as one client; undefined: the address may be a proxy's, so it counts as none. */
  readonly key: string | undefined;
}

const known = new WeakMap<IncomingMessage, string>();

/**
 * Returns the address of the client that asks for an upgrade, as seen through the proxies of the option
 * `trustedProxies`: IPv4 as such, IPv6 in its shortest form; undefined if the client has gone.
 */
export function clientAddress(request: IncomingMessage): string | undefined {
  return known.get(request) ?? peerOf(request);
}

/** Finds the addresses of clients behind trusted proxies. */
export class ClientAddresses {
  private readonly trusted: Networks;
  private readonly isTold: boolean;

  /** @param trustedProxies undefined: it is not known if there are any */
  constructor(trustedProxies: readonly string[] | undefined) {
    this.trusted = new Networks(trustedProxies ?? []);
    this.isTold = trustedProxies !== undefined;
  }

  /** Finds the address of a request, and notes it for {@link clientAddress}. */
  of(request: IncomingMessage): RequestOrigin {
    const peer = peerOf(request);
    if (peer === undefined) return { address: undefined, key: undefined };
    const address = this.through(peer, request);
    if (address !== peer) known.set(request, address);
    const counts = this.isTold || !PRIVATE.has(address);
    return { address, key: counts ? addressKey(address) : undefined };
  }

  /** True if a proxy that nobody told of seems to stand before this node. */
  hidesClients({ headers, socket }: IncomingMessage): boolean {
    if (this.isTold || headers['x-forwarded-for'] === undefined) return false;
    const peer = canonicalAddress(socket.remoteAddress ?? '');
    return peer !== undefined && PRIVATE.has(peer);
  }

  /** Each trusted hop vouches for the entry before its own: from the right, up to the first that is not trusted. */
  private through(peer: string, { headers }: IncomingMessage): string {
    let address = peer;
    const hops = forwardedFor(headers).split(',');
    while (hops.length > 0 && this.trusted.has(address)) {
      const hop = canonicalAddress(hops.pop()!.trim());
      if (hop === undefined) break;
      address = hop;
    }
    return address;
  }
}

function forwardedFor(headers: IncomingMessage['headers']): string {
  const given = headers['x-forwarded-for'] ?? '';
  return Array.isArray(given) ? given.join(',') : given;
}

function peerOf({ socket }: IncomingMessage): string | undefined {
  return canonicalAddress(socket.remoteAddress ?? '');
}
