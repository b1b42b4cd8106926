import { type IncomingMessage, Server } from 'node:http';
import { Server as SecureServer } from 'node:https';
import type { Socket } from 'node:net';
import { Injectable, Optional } from '@nestjs/common';
import { UpgradeLimits, UpgradeRefusal } from '../ports/ports.js';
import { WaitingRequests } from '../reading/waiting-requests.js';
import { respond } from './upgrade-refusal.js';
import { Upgrades } from './upgrades.js';

/** How often sockets are looked through, ms. Ages count in such ticks: while the process stands still nobody ages. */
const TICK_MS = 1_000;

const REASONS = {
  408: 'the request took too long',
  503: 'too many connections without a request',
} as const;

/** Of one address no more than this part of the limit may wait. */
const SHARE = 4;

/**
 * Watches the sockets of HTTP servers that have sent no complete request yet, on every path: each has its time, and of
 * too many the oldest are cut, those of the address that has the most of them first. Requests that wait for their answers
 * are counted, too.
 */
@Injectable()
export class HalfOpen {
  /** In the order in which they came, with the tick in which they did. */
  private readonly waiting = new Map<Socket, number>();
  private readonly releases = new Map<Server, () => void>();
  private readonly requests = new WaitingRequests(() => this.upgrades.cutPipelined());
  private timer?: NodeJS.Timeout;
  private tick = 0;

  /** @param limits absent: nothing is watched */
  constructor(
    private readonly upgrades: Upgrades,
    @Optional() private readonly limits?: UpgradeLimits,
  ) {}

  /** Sockets that wait now. */
  get size(): number {
    return this.waiting.size;
  }

  /** Watches the sockets of a server from now on. Servers of HTTP/2 know nothing of their sockets, and are left alone. */
  watch(server: Server): void {
    if (!this.limits || this.releases.has(server)) return;
    const isSecure = server instanceof SecureServer;
    if (!isSecure && !(server instanceof Server)) return;
    const event = isSecure ? 'secureConnection' : 'connection';
    const came = (socket: Socket): void => this.came(socket);
    const asked = (request: IncomingMessage): void => this.asked(request);
    server.on(event, came).prependListener('request', asked);
    const uncounted = this.requests.watch(server);
    this.releases.set(server, () => {
      uncounted();
      server.off(event, came).off('request', asked);
    });
    this.timer ??= setInterval(() => this.next(), TICK_MS).unref();
  }

  /** A complete head has come. */
  asked({ socket }: IncomingMessage): void {
    this.waiting.delete(socket);
  }

  /** Leaves all servers as they were. */
  release(): void {
    clearInterval(this.timer);
    delete this.timer;
    for (const release of this.releases.values()) release();
    this.releases.clear();
    this.waiting.clear();
  }

  private came(socket: Socket): void {
    this.waiting.set(socket, this.tick);
    socket.on('close', () => this.waiting.delete(socket));
  }

  /** Requests that came while the process was busy lie in the sockets: they are read before anybody is judged. */
  private next(): void {
    setImmediate(() => this.look());
  }

  private look(): void {
    const { handshakeMs, halfOpen } = this.limits!;
    const oldest = this.tick++ - Math.ceil(handshakeMs / TICK_MS);
    const late = [...this.waiting].filter(([, came]) => came < oldest);
    for (const [socket] of late) this.cut(socket, 408);
    for (const socket of this.surplus(halfOpen)) this.cut(socket, 503);
  }

  /** The sockets beyond the limit. Those of this tick count, but may still be about to send. */
  private surplus(most: number): Socket[] {
    const old = [...this.waiting].filter(([, came]) => came < this.tick - 1).map(([socket]) => socket);
    const beyond = this.waiting.size - most;
    const greedy = beyondShare(old, Math.ceil(most / SHARE));
    const others = old.filter((socket) => !greedy.has(socket));
    return [...greedy, ...others.slice(0, Math.max(0, beyond - greedy.size))];
  }

  private cut(socket: Socket, status: 408 | 503): void {
    this.waiting.delete(socket);
    // Somebody has answered it, e.g. a CONNECT: it is no HTTP any more.
    if (socket.bytesWritten > 0) return;
    this.upgrades.cutHalfOpen(status);
    if (socket.writable) respond(socket, new UpgradeRefusal(status, REASONS[status]));
    else socket.destroy();
  }
}

/** Of each address the oldest sockets beyond its share. */
function beyondShare(sockets: readonly Socket[], share: number): Set<Socket> {
  const byAddress = new Map<string | undefined, Socket[]>();
  for (const socket of sockets) {
    const list = byAddress.get(socket.remoteAddress);
    if (list) list.push(socket);
    else byAddress.set(socket.remoteAddress, [socket]);
  }
  return new Set([...byAddress.values()].flatMap((list) => list.slice(0, Math.max(0, list.length - share))));
}
