import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import type { ClientSocket } from './client-socket.js';
import { Hub } from './hub.js';

/** A client that was silent for this long is asked for a sign of life, ms. Keep it below what proxies cut. */
export const HEARTBEAT_MS = 25_000;
/** A client that does not take what it is sent for this long is closed, ms. */
const BLOCKED_MS = 30_000;
/** The clients are looked after in this many parts, one after another. */
const PARTS = 10;

/** Finds connections that are dead or stuck; one timer for all clients. */
@Injectable()
export class Heartbeats implements OnApplicationBootstrap, OnModuleDestroy {
  private timer?: NodeJS.Timeout;
  private part = 0;

  constructor(private readonly hub: Hub) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.tick(), HEARTBEAT_MS / PARTS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  /** Looks after the next part of the clients. */
  tick(): void {
    this.part = (this.part + 1) % PARTS;
    let index = 0;
    const now = performance.now();
    for (const client of this.hub.all()) {
      if (client.expiresAt !== 0 && client.expiresAt <= now) client.closeWith(4401);
      else if (index++ % PARTS === this.part) this.lookAfter(client);
    }
  }

  private lookAfter(client: ClientSocket): void {
    const { blockedSince } = client;
    if (blockedSince !== 0 && performance.now() - blockedSince > BLOCKED_MS) return end(client, 4408);
    if (!client.alive) return end(client, 4409);
    client.alive = false;
    client.ping();
  }
}

/** A close frame may never get through. */
function end(client: ClientSocket, code: 4408 | 4409): void {
  client.closeWith(code);
  setImmediate(() => client.terminate());
}
