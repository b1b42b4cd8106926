import { SLOTS } from './hash-slot.js';
import { describeAddress, type RedisAddress } from '../links/redis-target.js';

/** A master of a Redis Cluster as one of its servers knows it. */
interface SlotClaim {
  readonly address: RedisAddress;
  /** Grows with each change of the slots; two masters never have the same value for long. */
  readonly configEpoch: number;
  readonly ranges: readonly (readonly [from: number, to: number])[];
}

/** Knows which master has which slot. */
export class SlotMap {
  private readonly owners: (string | undefined)[] = Array.from({ length: SLOTS }, () => undefined);
  /** Masters that have slots, by `host:port`. */
  readonly masters = new Map<string, RedisAddress>();
  /** Slots without a master. */
  readonly uncovered: number;

  /**
   * Joins the views of several servers. Where they differ, the claim with the highest configuration epoch is the
   * latest.
   * @param views replies to CLUSTER NODES, and the servers that sent them
   */
  constructor(views: readonly { readonly text: string; readonly from: RedisAddress }[], tls = false) {
    const epochs = Array.from({ length: SLOTS }, () => -1);
    for (const { text, from } of views) {
      for (const { address, configEpoch, ranges } of readClaims(text, from, tls)) {
        const name = describeAddress(address);
        for (const [first, last] of ranges) {
          for (let slot = first; slot <= last; slot++) {
            if (epochs[slot]! >= configEpoch) continue;
            epochs[slot] = configEpoch;
            this.owners[slot] = name;
          }
        }
        this.masters.set(name, address);
      }
    }
    const owning = new Set(this.owners);
    for (const name of this.masters.keys()) if (!owning.has(name)) this.masters.delete(name);
    this.uncovered = this.owners.filter((owner) => owner === undefined).length;
  }

  /** `host:port` of the master that has a slot. */
  ownerOf(slot: number): string | undefined {
    return this.owners[slot];
  }
}

/** Reads the masters that have slots from a reply to CLUSTER NODES. */
function readClaims(text: string, from: RedisAddress, tls: boolean): SlotClaim[] {
  const claims: SlotClaim[] = [];
  for (const line of text.split('\n')) {
    const [, endpoint = '', flags = '', , , , configEpoch, , ...slots] = line.trim().split(' ');
    const roles = flags.split(',');
    // Slots that are about to move stand in brackets; until then they stay where they are.
    const ranges = slots.filter((range) => !range.startsWith('[')).map(readRange);
    if (!roles.includes('master') || ranges.length === 0) continue;
    const address = readEndpoint(endpoint, tls) ?? (roles.includes('myself') ? from : undefined);
    if (address) claims.push({ address, configEpoch: Number(configEpoch), ranges });
  }
  return claims;
}

function readRange(text: string): [number, number] {
  const [from, to = from] = text.split('-').map(Number);
  return [from!, to!];
}

/** `ip:port@busport,hostname,…`; a certificate is made out to the name, if there is one. */
function readEndpoint(text: string, tls: boolean): RedisAddress | undefined {
  const [, ip = '', port = '', hostname = ''] = /^(.*):(\d+)@\d+(?:,([^,]*))?/.exec(text) ?? [];
  const host = tls && hostname !== '' ? hostname : ip;
  return host === '' || Number(port) === 0 ? undefined : { host, port: Number(port) };
}
