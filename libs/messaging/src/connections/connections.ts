import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Injectable, Logger, Optional } from '@nestjs/common';
import type { RawData, WebSocket } from 'ws';
import { NodeIdentity } from '../ports/ports.js';
import { ReadingShares } from '../reading/reading-shares.js';
import { ClientSocket, type PathContext, type SocketOwner } from '../socket/client-socket.js';
import { Flusher } from '../socket/flusher.js';
import { CLIENT, type RoutedSocket } from '../socket/routed-socket.js';
import type { AcceptedClient } from './upgrades.js';

/** Connections of a kind of path, from the admission of the upgrade request to the closed socket. */
export interface Connections extends SocketOwner {
  /** @throws UpgradeRefusal */
  admit(request: IncomingMessage): Promise<AcceptedClient>;

  /** Makes an accepted socket a client. */
  begin(socket: RoutedSocket, stream: Duplex, accepted: AcceptedClient, context: PathContext): void;
}

/** Makes accepted sockets clients of this node: each gets an id, its queue and its listeners. */
@Injectable()
export class Sockets {
  private count = 0;

  constructor(
    private readonly flusher: Flusher,
    private readonly identity: NodeIdentity,
    @Optional() private readonly shares: ReadingShares = new ReadingShares(),
  ) {}

  begin(socket: RoutedSocket, stream: Duplex, accepted: AcceptedClient, context: PathContext): ClientSocket {
    const { user, expiresAt, issuedAt, claims, attached, generation } = accepted;
    const { flusher, shares } = this;
    const id = `${this.identity.nodeId}.${(++this.count).toString(36)}`;
    const client = new ClientSocket({
      ...{ socket, id, user, stream, flusher, shares, context },
      ...{ expiresAt, issuedAt, claims, attached, generation },
    });
    socket
      .on('message', onMessage as SocketListener)
      .on('close', onClose as SocketListener)
      .on('error', onError as SocketListener)
      .on('ping', onPing as SocketListener)
      .on('pong', onPong as SocketListener);
    return client;
  }
}

type SocketListener = (this: WebSocket, ...args: unknown[]) => void;

// Shared by all sockets, so that a client costs no closures; `ws` calls listeners with the socket as `this`.
type Socket = RoutedSocket<ClientSocket>;

function onMessage(this: Socket, data: RawData, isBinary: boolean): void {
  const client = this[CLIENT]!;
  client.alive = true;
  if (client.hold(data, isBinary)) return;
  client.pathContext.reader.read(client, data, isBinary, client.pathContext.router);
}

function onPing(this: Socket, payload: Buffer): void {
  this[CLIENT]!.pinged(payload);
}

function onPong(this: Socket): void {
  this[CLIENT]!.alive = true;
}

function onClose(this: Socket, code: number): void {
  const client = this[CLIENT]!;
  client.native?.stop();
  client.pathContext.connections.end(client, code);
  for (const callback of client.closeCallbacks ?? []) callback(code);
}

/**
 * Protocol errors end the connection with their close code. The client causes them, so they are not logged as errors.
 */
function onError(this: Socket, error: Error): void {
  this[CLIENT]!.broke();
  new Logger('Connections').debug(`client ${this[CLIENT]!.id}: ${error.message}`);
}
