import { BlockList, isIP, SocketAddress } from 'node:net';

/** A network of addresses. */
interface Network {
  readonly address: string;
  readonly family: 'ipv4' | 'ipv6';
  /** Length of its prefix, bits. */
  readonly bits: number;
}

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/**
 * An address in its one form: IPv4 as such also where it came mapped into IPv6, IPv6 in its shortest form, without
 * zone. Ports and brackets, as some proxies write them, are left out.
 * @returns undefined if the text is not an address
 */
export function canonicalAddress(text: string): string | undefined {
  const bare = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(text)?.[1] ?? text;
  const [address = ''] = bare.split('%');
  const family = isIP(address);
  if (family === 0) return undefined;
  if (family === 4) return address;
  const { address: shortest } = new SocketAddress({ address, family: 'ipv6' });
  return MAPPED.exec(shortest)?.[1] ?? shortest;
}

/** Returns the network of a text such as `10.0.0.0/8`, `2001:db8::/32` or one address; undefined if it is not one. */
export function parseNetwork(text: string): Network | undefined {
  const [, given = '', length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  if (isIP(given) === 0) return undefined;
  const address = canonicalAddress(given)!;
  const isMapped = isIP(given) === 6 && isIP(address) === 4;
  const most = isIP(address) === 4 ? 32 : 128;
  const bits = length === undefined ? most : Number(length) - (isMapped ? 96 : 0);
  if (bits < 0 || bits > most) return undefined;
  return { address, family: most === 32 ? 'ipv4' : 'ipv6', bits };
}

/** Addresses by the networks that they belong to. */
export class Networks {
  // One list for each family: in a list, networks of IPv6 hold IPv4 addresses, too.
  private readonly lists = { ipv4: new BlockList(), ipv6: new BlockList() };

  /** @param networks texts that {@link parseNetwork} knows */
  constructor(networks: readonly string[]) {
    for (const text of networks) {
      const network = parseNetwork(text);
      if (!network) throw new Error('a network is not an address or a CIDR');
      this.lists[network.family].addSubnet(network.address, network.bits, network.family);
    }
  }

  /** True for an address in its canonical form that belongs to one of them. */
  has(address: string): boolean {
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    return this.lists[family].check(address, family);
  }
}

/** The part of an address that counts as one client: an IPv4 address, or the /64 of an IPv6 address. */
export function addressKey(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = '', tail = ''] = address.split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === '' ? [] : tail.split(':');
  // An IPv4 address at the end stands for two groups.
  const missing = 8 - first.length - last.length - (address.includes('.') ? 1 : 0);
  const zeros = address.includes('::') ? Array<string>(missing).fill('0') : [];
  return `${[...first, ...zeros, ...last].slice(0, 4).join(':')}::/64`;
}
