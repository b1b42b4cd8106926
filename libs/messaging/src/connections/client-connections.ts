import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Injectable, Optional } from '@nestjs/common';
import { isEngineError, type OpenedSession, SessionHooks, Slots, type Standing } from '@wss/core';
import { CommandRouter } from '../commands/command-router.js';
import { MessagingObserver } from '../ports/messaging-observer.js';
import {
  type Admitted,
  ClientListener,
  type KnownIdentity,
  PlaceSource,
  RevocationSource,
  SessionSource,
  UpgradeRefusal,
} from '../ports/ports.js';
import { SlowClients } from '../rooms/slow-clients.js';
import type { ClientSocket, PathContext } from '../socket/client-socket.js';
import type { RoutedSocket } from '../socket/routed-socket.js';
import { type Connections, Sockets } from './connections.js';
import { Departures } from './drain.js';
import { greet, type OfferedProtocols, offeredProtocols } from './greeting.js';
import { goneRefusal } from './handshake-step.js';
import { Hub } from './hub.js';
import { Identification } from './identification.js';
import { type AcceptedClient, type IdentifiedClient, Upgrades } from './upgrades.js';
import { UsersHere } from './users-here.js';

/** The ports that the application supplies for connections. */
@Injectable()
export class ConnectionPorts {
  constructor(
    readonly identification: Identification,
    readonly listener: ClientListener,
    readonly sessions: SessionSource,
    readonly users: UsersHere,
    private readonly hooks: SessionHooks,
    @Optional() readonly observer?: MessagingObserver,
    @Optional() readonly revocations?: RevocationSource,
    @Optional() readonly places?: PlaceSource,
  ) {}

  /** Tells the other nodes, and the features of this one, that a session goes on here. */
  resumed(client: ClientSocket, { session, rooms }: OpenedSession): void {
    this.listener.sessionResumed(session);
    void this.hooks.run('resumed', { id: session.id, user: session.user, client, rooms });
  }
}

/**
 * Largest number of sessions that are opened at the same time. When all clients of a lost node come at once, the
 * others wait here. Otherwise the engine's answers would be late for most of them, and they would come again.
 */
const OPENING_AT_ONCE = 100;

/** Connections of paths that the command router serves: admission, sessions, registration, clean-up. */
@Injectable()
export class ClientConnections implements Connections {
  private readonly opening = new Slots(OPENING_AT_ONCE);

  constructor(
    private readonly upgrades: Upgrades,
    private readonly sockets: Sockets,
    readonly router: CommandRouter,
    private readonly hub: Hub,
    private readonly departures: Departures,
    private readonly slowClients: SlowClients,
    private readonly ports: ConnectionPorts,
  ) {}

  async admit(request: IncomingMessage): Promise<AcceptedClient> {
    const offered = offeredProtocols(request);
    const { identification } = this.ports;
    const startedAt = performance.now();
    const admitted = await identification.of(request);
    return identification.within(request, startedAt, this.accepted(request, admitted, offered));
  }

  /** Asks the engine about an identity; what is opened for it belongs to its socket, also if the answers come late. */
  private async accepted(
    request: IncomingMessage,
    admitted: IdentifiedClient,
    offered: OfferedProtocols,
  ): Promise<AcceptedClient> {
    const { issuedAt: _claimed, ...identity } = admitted;
    const { user } = identity;
    await this.takePlace(request, user);
    const { standing, issuedAt } = (await this.known(admitted, offered.session)) ?? {};
    const dated = { ...identity, ...(issuedAt !== undefined && { issuedAt }) };
    const heard = this.ports.users.came(user, request.socket);
    if (standing === 'unknown') return { ...dated, isUnjudged: true };
    const opened = offered.session ? await this.open(request, user, { ...offered, ...standing }) : undefined;
    const generation = standing && (await this.ports.revocations?.enter(user, standing));
    await heard;
    return { ...dated, ...(opened && { opened }), ...(generation !== undefined && { generation }) };
  }

  /** A connection has its user's place until its socket is closed, whatever becomes of the handshake. */
  private async takePlace({ socket }: IncomingMessage, user: string): Promise<void> {
    const { places } = this.ports;
    if (!places) return;
    const giveBack = await places.ofUser(user);
    if (!giveBack) {
      throw new UpgradeRefusal(429, 'this user has too many connections; close one first', {
        log: 'a user has too many connections; see the option limits.connectionsPerUser, of the gateway MAX_CONNECTIONS_PER_USER',
        kind: 'user connections',
        check: 'user connections',
      });
    }
    if (socket.destroyed) giveBack();
    else socket.once('close', giveBack);
  }

  /** @returns nothing where nobody is put out; a standing `unknown` is to be found out later */
  private async known(
    admitted: Admitted,
    hasSession: boolean,
  ): Promise<(Pick<KnownIdentity, 'issuedAt'> & { standing: Standing | 'unknown' }) | undefined> {
    const { revocations } = this.ports;
    try {
      return await revocations?.check(admitted);
    } catch (error) {
      if (hasSession || !revocations!.canJudgeLater || !isEngineError(error)) throw error;
      const issuedAt = revocations!.issuedAt(admitted);
      return { standing: 'unknown', ...(issuedAt !== undefined && { issuedAt }) };
    }
  }

  private async open(
    request: IncomingMessage,
    user: string,
    { resume, revokedAt }: Pick<OfferedProtocols, 'resume'> & Pick<Standing, 'revokedAt'>,
  ): Promise<OpenedSession> {
    const opened = await this.opening.run(() => {
      this.upgrades.requireOpen();
      if (request.socket.destroyed) throw goneRefusal();
      return this.ports.sessions.open(user, resume, revokedAt);
    });
    this.bindToSocket(opened, request.socket);
    return opened;
  }

  /** Registers an accepted socket; a client with a session is greeted before anything else is sent. */
  begin(socket: RoutedSocket, stream: Duplex, accepted: AcceptedClient, context: PathContext): void {
    const { opened } = accepted;
    this.upgrades.answered(101);
    const client = this.sockets.begin(socket, stream, accepted, context);
    if (opened) greet(client, opened);
    this.hub.add(client);
    // Until the user's standing is compared, which the next lines lead to.
    if (accepted.isUnjudged) this.hub.hold(client.user, 'rooms');
    this.ports.listener.clientCame(client.user);
    if (opened?.resumed) this.ports.resumed(client, opened);
  }

  overflowed(client: ClientSocket): void {
    this.slowClients.overflowed(client);
  }

  drained(client: ClientSocket): void {
    this.slowClients.drained(client);
  }

  end(client: ClientSocket, code: number): void {
    const isRevoked = client.closedWith === 4501;
    // A user who is put out leaves at once.
    this.departures.begin(client, isRevoked || client.closedWith === 4402);
    if (isRevoked && client.session) this.ports.sessions.revoked(client.session);
    // A dead line brings no close frame back, but the node knows its own close code.
    this.ports.observer?.clientGone(code === 1006 ? (client.closedWith ?? code) : code);
    this.hub.remove(client);
    this.router.clientGone(client);
  }

  /** Ties a session to the socket that it was opened for, whatever becomes of the handshake. */
  private bindToSocket({ session }: OpenedSession, socket: Duplex): void {
    const release = (): void => this.ports.sessions.disconnected(session);
    if (socket.destroyed) release();
    // It comes once; `once` would keep three more objects for each client.
    else socket.on('close', release);
  }
}
