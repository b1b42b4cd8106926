import type { Duplex } from 'node:stream';
import { Injectable } from '@nestjs/common';
import type { ClientSocket, PathContext } from '../socket/client-socket.js';
import { type Connections, Sockets } from './connections.js';
import { type AcceptedClient, Upgrades } from './upgrades.js';

/** Connections of paths that only native gateways serve: nobody is kept out, and nothing is kept of them. */
@Injectable()
export class NativeConnections implements Connections {
  constructor(
    readonly upgrades: Upgrades,
    private readonly sockets: Sockets,
  ) {}

  admit(): Promise<AcceptedClient> {
    return Promise.resolve({ user: '' });
  }

  begin(client: ClientSocket, stream: Duplex, accepted: AcceptedClient, context: PathContext): void {
    this.upgrades.answered(101);
    this.sockets.begin(client, stream, accepted, context);
  }

  /** A client that reads too slowly is closed: what its gateways sent can't be sent again. */
  overflowed(client: ClientSocket): void {
    client.queue?.clear();
    client.closeWith(4408);
  }

  drained(): void {
    // Nothing waits for it.
  }

  end(): void {
    // Nothing was kept.
  }
}
