import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { encodeEvent } from '@wss/protocol';
import { ClientConnections } from './client-connections.js';
import type { ClientSocket } from './client-socket.js';
import { Hub } from './hub.js';

/** How often a group of clients is let go, ms. */
const GROUP_MS = 50;

/** How a node lets its clients go. */
export interface DrainOptions {
  /** Over how long their leaving is spread, and their coming back, ms. */
  readonly windowMs: number;
  /** When the last of them is cut, ms since 1970. */
  readonly deadline: number;
}

/**
 * Lets all clients go: in groups spread over a window, each told when to come back, so that the other nodes do not
 * get them all at once. A client whose command is under way is let go when it has been answered.
 */
@Injectable()
export class Drain {
  private readonly logger = new Logger(Drain.name);

  constructor(
    private readonly hub: Hub,
    private readonly connections: ClientConnections,
  ) {}

  /** Upgrades are refused with 503 from now on. */
  refuseNew(): void {
    this.connections.refuseAll();
  }

  /** Resolves when no client is left. */
  async run({ windowMs, deadline }: DrainOptions): Promise<void> {
    const clients = [...this.hub.all()];
    if (clients.length === 0) return;
    this.logger.log(`letting ${clients.length} clients go`);
    const groups = Math.max(1, Math.ceil(windowMs / GROUP_MS));
    const size = Math.ceil(clients.length / groups);
    const gone: Promise<void>[] = [];
    for (let from = 0; from < clients.length; from += size) {
      for (const client of clients.slice(from, from + size)) gone.push(this.letGo(client, windowMs));
      if (from + size < clients.length) await until(Math.min(Date.now() + GROUP_MS, deadline));
    }
    await Promise.race([Promise.all(gone), until(deadline)]);
    for (const client of this.hub.all()) client.terminate();
  }

  private async letGo(client: ClientSocket, windowMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
    if (client.inFlight > 0) await new Promise<void>((resolve) => (client.whenIdle = resolve));
    client.reply(encodeEvent('$notice', { reconnectInMs: Math.round(Math.random() * windowMs) }));
    client.closeWith(1012);
    await closed;
  }
}

function until(at: number): Promise<void> {
  return delay(Math.max(0, at - Date.now()));
}
