import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy, Optional } from '@nestjs/common';
import { WebSocket } from 'ws';
import type { ClientSocket } from '../socket/client-socket.js';
import { Hub } from './hub.js';
import { MessagingObserver } from '../ports/messaging-observer.js';

/** How often each client is pinged, and how long it has to answer, ms. Keep it below the idle timeouts of proxies. */
export const HEARTBEAT_MS = 25_000;
/** How long a client may take no data before it is closed, ms. */
const BLOCKED_MS = 30_000;
/** Clients are spread over this many heartbeat slots of a period, so that they are not all pinged at once. */
export const HEARTBEAT_SLOTS = 10;

/** Finds connections that are dead or stuck; one timer for all clients. */
@Injectable()
export class Heartbeats implements OnApplicationBootstrap, OnModuleDestroy {
  private timer?: NodeJS.Timeout;
  private slot = 0;
  private assigned = 0;

  constructor(
    private readonly hub: Hub,
    @Optional() private readonly observer?: MessagingObserver,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.tick(), HEARTBEAT_MS / HEARTBEAT_SLOTS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  /** Checks all clients, and pings those of the present heartbeat slot. */
  tick(): void {
    this.slot = (this.slot + 1) % HEARTBEAT_SLOTS;
    for (const client of this.hub.all()) if (client.readyState === WebSocket.OPEN) this.lookAfter(client);
  }

  private lookAfter(client: ClientSocket): void {
    // A client keeps its slot as long as it is here, so that other clients that come and go do not move its next
    // ping.
    client.heartbeatSlot ??= this.assigned++ % HEARTBEAT_SLOTS;
    if (client.expiresAt !== 0 && client.expiresAt <= performance.now()) return client.closeWith(4401);
    if (isStuck(client)) return this.closeStuck(client);
    if (client.heartbeatSlot === this.slot) ask(client);
  }

  /**
   * Closes with an empty queue: its frames would only delay the close frame for a client that has just begun to read
   * again.
   */
  private closeStuck(client: ClientSocket): void {
    this.observer?.clientSlow('closed');
    client.queue?.clear();
    client.closeWith(4408);
  }
}

function isStuck({ blockedSince }: ClientSocket): boolean {
  return blockedSince !== 0 && performance.now() - blockedSince > BLOCKED_MS;
}

/** Pings a client; one that has not answered for a whole period is closed. */
function ask(client: ClientSocket): void {
  // The client is not read from while too many of its commands are under way, which ends with their deadline.
  if (client.throttled) return;
  if (!client.alive) return client.closeWith(4409);
  // A ping behind data that the client does not take would be late through no fault of the client.
  if (client.blockedSince !== 0) return;
  client.alive = false;
  client.ping();
}
