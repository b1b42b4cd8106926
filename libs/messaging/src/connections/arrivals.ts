import type { IncomingMessage } from 'node:http';
import { Injectable, Logger, Optional } from '@nestjs/common';
import { LogGate } from '@wss/protocol';
import { UpgradeLimits, UpgradeRefusal } from '../ports/ports.js';
import { ClientAddresses, type RequestOrigin } from './client-addresses.js';

/** As many seconds' worth of handshakes may come at once: all clients of a lost node do. */
const BURST_S = 10;

/** Addresses are looked through for those that are idle when there are more, and not more often than once a second. */
const MANY_ADDRESSES = 1_024;

/** Connections of an address, or of the node, and its bucket of handshakes. */
interface Arrived {
  connections: number;
  /** Handshakes that it may still begin. */
  tokens: number;
  /** When they were counted, ms on this process' steady clock. */
  at: number;
}

type Limits = { readonly connections: number; readonly rate: number };

/**
 * Counts connections and handshakes of addresses and of the node, on every path; refuses those beyond the limits before
 * anything else is done for them. It knows an address while connections of it are here, and some seconds longer.
 */
@Injectable()
export class Arrivals {
  private readonly warnings = new LogGate((line) => new Logger('Connections').warn(line));
  private readonly addresses: ClientAddresses;
  private readonly byAddress = new Map<string, Arrived>();
  private readonly node: Arrived;
  private readonly ofAddress: Limits;
  private readonly ofNode: Limits;
  private readonly counted = new WeakMap<object, Arrived>();
  private sweptAt = 0;

  /** @param limits absent: none */
  constructor(@Optional() limits?: UpgradeLimits) {
    this.addresses = new ClientAddresses(limits?.trustedProxies);
    this.ofAddress = {
      connections: limits?.connectionsPerAddress ?? Infinity,
      rate: limits?.handshakesPerAddress ?? Infinity,
    };
    this.ofNode = {
      connections: limits?.connectionsPerNode ?? Infinity,
      rate: limits?.handshakesPerSecond ?? Infinity,
    };
    this.node = arrivedNow(this.ofNode, performance.now());
  }

  /** Connections that count now. */
  get connections(): number {
    return this.node.connections;
  }

  /** Addresses that are known now. */
  get size(): number {
    return this.byAddress.size;
  }

  /**
   * Counts a handshake, and its connection until that has gone.
   * @throws UpgradeRefusal 429 when its address is at a limit, 503 when the node is
   */
  take(request: IncomingMessage): void {
    const now = performance.now();
    const { socket } = request;
    if (socket.destroyed || this.counted.has(socket)) return;
    const origin = this.addresses.of(request);
    if (this.addresses.hidesClients(request)) this.tellOfProxy();
    const { key } = origin;
    const known = key === undefined ? undefined : this.byAddress.get(key);
    const address = known ?? arrivedNow(this.ofAddress, now);
    if (key !== undefined) this.requireRoom(address, origin, now);
    this.requireRoomOnNode(now);
    this.sweep(now);
    if (key !== undefined && !known) this.byAddress.set(key, address);
    this.count(socket, address);
  }

  private count(socket: IncomingMessage['socket'], address: Arrived): void {
    for (const each of [address, this.node]) {
      each.connections++;
      each.tokens--;
    }
    this.counted.set(socket, address);
    socket.on('close', () => {
      address.connections--;
      this.node.connections--;
    });
  }

  private requireRoom(arrived: Arrived, { address }: RequestOrigin, now: number): void {
    const { connections, rate } = this.ofAddress;
    if (arrived.connections >= connections) {
      throw new UpgradeRefusal(429, 'too many connections from this address', {
        check: 'address connections',
        log: `the address ${address} has ${connections} connections here; see the option limits.connectionsPerAddress, of the gateway MAX_CONNECTIONS_PER_ADDRESS, and trustedProxies if it is a proxy`,
      });
    }
    if (refilled(arrived, this.ofAddress, now) < 1) {
      throw new UpgradeRefusal(429, 'too many handshakes from this address; wait', {
        check: 'address handshakes',
        log: `the address ${address} asks for more than ${rate} connections a second; see the option limits.handshakesPerAddress, of the gateway MAX_HANDSHAKES_PER_ADDRESS, and trustedProxies if it is a proxy`,
      });
    }
  }

  private requireRoomOnNode(now: number): void {
    const { connections, rate } = this.ofNode;
    if (this.node.connections >= connections) {
      throw new UpgradeRefusal(503, 'this node is full; try again', {
        check: 'node connections',
        log: `the node has ${connections} connections; start another one, or see the option limits.connectionsPerNode, of the gateway MAX_CONNECTIONS`,
      });
    }
    if (refilled(this.node, this.ofNode, now) < 1) {
      throw new UpgradeRefusal(503, 'too many clients connect to this node now; try again', {
        check: 'node handshakes',
        log: `more than ${rate} clients a second ask to connect; start another node, or see the option limits.handshakesPerSecond, of the gateway MAX_HANDSHAKES_PER_SECOND`,
      });
    }
  }

  /** Forgets addresses without connections whose bucket is full again. */
  private sweep(now: number): void {
    if (this.byAddress.size < MANY_ADDRESSES || now - this.sweptAt < 1_000) return;
    this.sweptAt = now;
    const full = this.ofAddress.rate * BURST_S;
    for (const [key, arrived] of this.byAddress) {
      if (arrived.connections === 0 && refilled(arrived, this.ofAddress, now) >= full)
        this.byAddress.delete(key);
    }
  }

  private tellOfProxy(): void {
    this.warnings.report(
      'proxy',
      'an upgrade came with X-Forwarded-For from a private network that nobody trusts, so limits of addresses do not count its clients; list the networks of your proxies in the option trustedProxies, of the gateway TRUSTED_PROXIES',
    );
  }
}

function arrivedNow({ rate }: Limits, at: number): Arrived {
  return { connections: 0, tokens: rate * BURST_S, at };
}

/** The handshakes that may begin now. */
function refilled(arrived: Arrived, { rate }: Limits, now: number): number {
  if (rate === Infinity) return Infinity;
  arrived.tokens = Math.min(rate * BURST_S, arrived.tokens + ((now - arrived.at) / 1_000) * rate);
  arrived.at = now;
  return arrived.tokens;
}
