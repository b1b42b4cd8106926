import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy, Optional } from '@nestjs/common';
import { WebSocket } from 'ws';
import type { ClientSocket } from '../socket/client-socket.js';
import { Hub } from './hub.js';
import { MessagingObserver } from '../ports/messaging-observer.js';

/** How often each client is asked for a sign of life, and how long it has to give one, ms. Keep it below what proxies cut. */
export const HEARTBEAT_MS = 25_000;
/** A client that does not take what it is sent for this long is closed, ms. */
const BLOCKED_MS = 30_000;
/** Clients are spread over this many slots of a period, so that they are not all asked at once. */
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

  /** Looks after all clients, and asks those whose slot it is for a sign of life. */
  tick(): void {
    this.slot = (this.slot + 1) % HEARTBEAT_SLOTS;
    for (const client of this.hub.all()) if (client.readyState === WebSocket.OPEN) this.lookAfter(client);
  }

  private lookAfter(client: ClientSocket): void {
    // A slot is the client's own for as long as it is here: whoever comes and goes moves nobody's next ping.
    client.heartbeatSlot ??= this.assigned++ % HEARTBEAT_SLOTS;
    if (client.expiresAt !== 0 && client.expiresAt <= performance.now()) return client.closeWith(4401);
    if (isStuck(client)) return this.closeStuck(client);
    if (client.heartbeatSlot === this.slot) ask(client);
  }

  /** Closes with an empty queue: its frames would only keep the close frame from a client that reads again just now. */
  private closeStuck(client: ClientSocket): void {
    this.observer?.clientSlow('closed');
    client.queue?.clear();
    client.closeWith(4408);
  }
}

function isStuck({ blockedSince }: ClientSocket): boolean {
  return blockedSince !== 0 && performance.now() - blockedSince > BLOCKED_MS;
}

/** Asks for a sign of life; a client that has had a whole period since it was asked last is closed. */
function ask(client: ClientSocket): void {
  // Nothing of it is read while too much of what it sent is under way, which ends with the deadline of commands.
  if (client.throttled) return;
  if (!client.alive) return client.closeWith(4409);
  // Behind what the client does not take now, a ping would be late through no fault of its own.
  if (client.blockedSince !== 0) return;
  client.alive = false;
  client.ping();
}
