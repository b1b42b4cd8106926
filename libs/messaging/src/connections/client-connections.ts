import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Injectable, Logger, Optional } from '@nestjs/common';
import type { RawData, WebSocket } from 'ws';
import { isEngineError, type OpenedSession, SessionHooks, Slots } from '@wss/core';
import { kindOf, LogGate, stackOf } from '@wss/protocol';
import type { ClientSocket, PathContext } from '../socket/client-socket.js';
import { CommandRouter } from '../commands/command-router.js';
import { Flusher } from '../socket/flusher.js';
import { Hub } from './hub.js';
import {
  Admission,
  type Admitted,
  ClientListener,
  NodeIdentity,
  SessionSource,
  UpgradeRefusal,
} from '../ports/ports.js';
import { greet, offeredProtocols } from './greeting.js';
import { MessagingObserver } from '../ports/messaging-observer.js';
import { RoomAccess } from '../rooms/room-access.js';
import { SlowClients } from '../rooms/slow-clients.js';
import { refuseUpgrade } from './upgrade-refusal.js';

/** An admitted client: its identity and, with the subprotocol, its session. */
export interface AcceptedClient extends Admitted {
  /** With the subprotocol: its session, and the greeting that tells of it. */
  readonly opened?: OpenedSession;
}

/** An upgrade request whose path has a server, and whose handshake can be completed. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly commands: boolean;
  /** Completes it, unless the client has gone. */
  accept(admitted: AcceptedClient): void;
}

/** The ports that the application supplies for connections. */
@Injectable()
export class ConnectionPorts {
  constructor(
    readonly admission: Admission,
    readonly listener: ClientListener,
    readonly sessions: SessionSource,
    readonly slowClients: SlowClients,
    private readonly hooks: SessionHooks,
    @Optional() readonly observer?: MessagingObserver,
  ) {}

  /** Tells the other nodes, and the features of this one, that a session goes on here. */
  resumed(client: ClientSocket, { session, rooms }: OpenedSession): void {
    this.listener.sessionResumed(session);
    void this.hooks.run('resumed', { id: session.id, user: session.user, client, rooms });
  }
}

/**
 * Most sessions that are opened at the same time. When the clients of a lost node come at once, the others wait for
 * their turn here: asked all at once, the engine's answers would be late for most of them, and they would come again.
 */
const OPENING_AT_ONCE = 100;

/** From the upgrade request to the closed socket: admission, registration, clean-up. */
@Injectable()
export class ClientConnections {
  private readonly logger = new Logger('Connections');
  private readonly faults = new LogGate((line) => this.logger.error(line));
  private readonly warnings = new LogGate((line) => this.logger.warn(line));
  private readonly nodeId: string;
  private count = 0;
  private refusing = false;
  private readonly admitting = new Set<Promise<void>>();
  private readonly opening = new Slots(OPENING_AT_ONCE);

  // Without a router only native gateways are served, and nothing else is needed.
  constructor(
    private readonly flusher: Flusher,
    @Optional() identity?: NodeIdentity,
    @Optional() readonly router?: CommandRouter,
    @Optional() private readonly hub?: Hub,
    @Optional() private readonly rooms?: RoomAccess,
    @Optional() private readonly ports?: ConnectionPorts,
  ) {
    this.nodeId = identity?.nodeId ?? randomBytes(6).toString('base64url');
  }

  /** From now on every upgrade is refused with 503, also one whose admission is under way. */
  refuseAll(): void {
    this.refusing = true;
  }

  /** Accepts or refuses an upgrade. Never rejects. */
  admit(upgrade: Upgrade): Promise<void> {
    const answered = this.answer(upgrade)
      .catch((error: unknown) => this.cut(upgrade.request, error))
      .finally(() => this.admitting.delete(answered));
    this.admitting.add(answered);
    return answered;
  }

  /** Resolves when all upgrades that have come until now are answered. */
  async allAnswered(): Promise<void> {
    await Promise.all(this.admitting);
  }

  private async answer({ request, commands, accept }: Upgrade): Promise<void> {
    try {
      this.requireOpen();
      const accepted: AcceptedClient = commands ? await this.admitClient(request) : { user: '' };
      // While it was being admitted the client may have gone, or the node may have begun to stop.
      this.requireOpen();
      if (!request.socket.destroyed) accept(accepted);
    } catch (error) {
      if (error instanceof UpgradeRefusal) return this.refuse(request, error);
      this.upgradeFailed(error);
      this.refuse(request, new UpgradeRefusal(503, 'the node could not admit the connection'));
    }
  }

  /** Tells a client that it is not let in, as it wants to be told. */
  refuse(request: IncomingMessage, refusal: UpgradeRefusal): void {
    this.refused(refusal.status);
    refuseUpgrade(request, refusal);
  }

  /** An upgrade request was answered with this status. */
  refused(status: number): void {
    this.ports?.observer?.upgradeAnswered(status);
  }

  /** Registers an accepted socket; a client with a session is greeted before anything else is sent. */
  begin(client: ClientSocket, stream: Duplex, accepted: AcceptedClient, context: PathContext): void {
    const { user, expiresAt, opened } = accepted;
    this.ports?.observer?.upgradeAnswered(101);
    const id = `${this.nodeId}.${(++this.count).toString(36)}`;
    client.begin({
      id,
      user,
      stream,
      flusher: this.flusher,
      context,
      ...(expiresAt !== undefined && { expiresAt }),
    });
    client
      .on('message', onMessage as Listener)
      .on('close', onClose as Listener)
      .on('error', onError as Listener)
      .on('pong', onPong as Listener);
    if (!context.router || !this.hub) return;
    if (opened) greet(client, opened);
    if (this.hub.add(client)) void this.announce(client.user);
    if (opened?.resumed) this.ports?.resumed(client, opened);
  }

  /** The client reads too slowly. */
  overflowed(client: ClientSocket): void {
    if (this.ports && client.pathContext.router) return this.ports.slowClients.overflowed(client);
    client.queue?.clear();
    client.closeWith(4408);
  }

  /** The client has read what it was sent. */
  drained(client: ClientSocket): void {
    if (client.pathContext.router) this.ports?.slowClients.drained(client);
  }

  /** Cleans up behind a closed socket. */
  end(client: ClientSocket, code: number): void {
    client.native?.stop();
    if (client.pathContext.router && this.hub) {
      for (const room of client.joinedRooms()) this.rooms?.unfollow(client, room);
      // A line that is dead brings no close frame back; why the client was closed is known all the same.
      this.ports?.observer?.clientGone(code === 1006 ? (client.closedWith ?? code) : code);
      if (this.hub.remove(client)) this.ports?.listener.userLeft(client.user);
    }
    if (client.pathContext.router) this.router?.clientGone(client);
    for (const callback of client.closeCallbacks ?? []) callback(code);
  }

  private requireOpen(): void {
    if (this.refusing) throw new UpgradeRefusal(503, 'this node is shutting down; try again');
  }

  private async admitClient(request: IncomingMessage): Promise<AcceptedClient> {
    const offered = offeredProtocols(request);
    const url = new URL(request.url ?? '/', 'ws://node');
    const admitted = (await this.ports?.admission.admit(request, url)) ?? { user: '' };
    if (!offered.session) return admitted;
    const opened = await this.opening.run(async () => {
      this.requireOpen();
      if (request.socket.destroyed) throw new UpgradeRefusal(503, 'the client has gone');
      return this.ports?.sessions.open(admitted.user, offered.resume);
    });
    if (!opened) return admitted;
    this.bindToSocket(opened, request.socket);
    return { ...admitted, opened };
  }

  /** A session is connected as long as the socket that it was opened for, whatever became of the handshake. */
  private bindToSocket({ session }: OpenedSession, socket: Duplex): void {
    const release = (): void => this.ports?.sessions.disconnected(session);
    if (socket.destroyed) release();
    else socket.once('close', release);
  }

  /** Where not even a refusal can be told, the client is not left waiting. */
  private cut({ socket }: IncomingMessage, error: unknown): void {
    socket.destroy();
    this.faults.report('bug', `an upgrade could not be answered: ${stackOf(error)}`);
  }

  /** Clients come again and again while the engine is away: that is one fault. */
  private upgradeFailed(error: unknown): void {
    if (!isEngineError(error)) return this.faults.report('bug', `an upgrade failed: ${stackOf(error)}`);
    const remedy = 'clients reconnect by themselves; find out why Redis is out of reach';
    this.faults.report('engine', `upgrades are answered 503 (${error.message}): ${remedy}`);
  }

  private async announce(user: string): Promise<void> {
    try {
      await this.ports?.listener.userCame(user);
    } catch (error) {
      const line = `messages to a user may not arrive: ${stackOf(error)}`;
      this.warnings.report(`announce ${kindOf(error)}`, line);
    }
  }
}

type Listener = (this: WebSocket, ...args: unknown[]) => void;

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
  this.pathContext.connections.end(this, code);
}

/** Protocol errors end the connection with their close code; they are the client's doing, so they are no errors of ours. */
function onError(this: ClientSocket, error: Error): void {
  new Logger('Connections').debug(`client ${this.id}: ${error.message}`);
}
