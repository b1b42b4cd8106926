import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Injectable, Logger } from '@nestjs/common';
import type { RawData, WebSocket } from 'ws';
import { NodeIdentity } from '../ports/ports.js';
import type { ClientSocket, PathContext, SocketOwner } from '../socket/client-socket.js';
import { Flusher } from '../socket/flusher.js';
import type { AcceptedClient } from './upgrades.js';

/** Connections of a kind of path, from the admission of the upgrade request to the closed socket. */
export interface Connections extends SocketOwner {
  /** @throws UpgradeRefusal */
  admit(request: IncomingMessage): Promise<AcceptedClient>;

  /** Makes an accepted socket a client. */
  begin(client: ClientSocket, stream: Duplex, accepted: AcceptedClient, context: PathContext): void;
}

/** Makes accepted sockets clients of this node: each gets an id, its queue and its listeners. */
@Injectable()
export class Sockets {
  private count = 0;

  constructor(
    private readonly flusher: Flusher,
    private readonly identity: NodeIdentity,
  ) {}

  begin(client: ClientSocket, stream: Duplex, accepted: AcceptedClient, context: PathContext): void {
    const { user, expiresAt } = accepted;
    const { flusher } = this;
    const id = `${this.identity.nodeId}.${(++this.count).toString(36)}`;
    client.begin({ id, user, stream, flusher, context, ...(expiresAt !== undefined && { expiresAt }) });
    client
      .on('message', onMessage as SocketListener)
      .on('close', onClose as SocketListener)
      .on('error', onError as SocketListener)
      .on('pong', onPong as SocketListener);
  }
}

type SocketListener = (this: WebSocket, ...args: unknown[]) => void;

// Shared by all sockets, so that a client costs no closures; `ws` calls listeners with the socket as `this`.
function onMessage(this: ClientSocket, data: RawData, isBinary: boolean): void {
  this.alive = true;
  if (this.hold(data as Buffer, isBinary)) return;
  this.pathContext.reader.read(this, data, isBinary, this.pathContext.router);
}

function onPong(this: ClientSocket): void {
  this.alive = true;
}

function onClose(this: ClientSocket, code: number): void {
  this.native?.stop();
  this.pathContext.connections.end(this, code);
  for (const callback of this.closeCallbacks ?? []) callback(code);
}

/**
 * Protocol errors end the connection with their close code. The client causes them, so they are not logged as errors.
 */
function onError(this: ClientSocket, error: Error): void {
  new Logger('Connections').debug(`client ${this.id}: ${error.message}`);
}
