import type { IncomingMessage } from 'node:http';
import type { Command, RecordedAnswer } from '@wss/handlers';
import type { Position } from '@wss/protocol';

/**
 * Where the events of rooms come from. The application provides it; this library knows no engine.
 *
 * While a room is open, its events reach {@link Hub.deliver} in order, each once, without a gap.
 */
export abstract class RoomSource {
  /** Follows a room; resolves once no event after {@link position} can be missed. Opening it again is cheap. */
  abstract open(room: string): Promise<void>;

  /** Last position that was delivered in an open room. */
  abstract position(room: string): Position;

  /** Tells that no client here is in the room any more. */
  abstract release(room: string): void;
}

/** Told of clients that come and go, so that messages to users can be routed. */
export abstract class ClientListener {
  /** The first client of this user on this node is about to be admitted; it is, once this resolves. */
  abstract userCame(user: string): Promise<void> | void;
  /** The last client of this user on this node has gone. */
  abstract userLeft(user: string): void;
}

/** Who a connection is. */
export interface Admitted {
  readonly user: string;
}

/** Decides, before a WebSocket exists, who may connect. */
export abstract class Admission {
  /** @throws UpgradeRefusal */
  abstract admit(request: IncomingMessage, url: URL): Promise<Admitted> | Admitted;
}

/** Refuses an upgrade with a complete HTTP response. */
export class UpgradeRefusal extends Error {
  constructor(
    readonly status: 400 | 401 | 403 | 404 | 429 | 503,
    message: string,
  ) {
    super(message);
    this.name = 'UpgradeRefusal';
  }
}

/** Identity of this node. */
export abstract class NodeIdentity {
  abstract readonly nodeId: string;
}

/** What numbered commands need to know of a session. */
export interface ClientSession {
  readonly id: string;
  readonly generation: number;
  /** Ms since 1970; moves while the client is connected. */
  readonly endsAt: number;
}

/** Sessions of clients, kept in the engine. */
export abstract class SessionSource {
  /** Opens the session that the token names, or a new one. */
  abstract open(
    user: string,
    token?: string,
  ): Promise<{ readonly session: ClientSession; readonly token: string; readonly resumed: boolean }>;

  /** The connection of the session has gone. */
  abstract disconnected(session: ClientSession): void;

  /** Called before a numbered command is carried out; fails when the engine is out of reach. */
  abstract prepareLane(session: ClientSession, room: string): Promise<void>;
}

/** Judges numbered commands that made no commit of their own (R1); notes the verdict on the command. */
export abstract class CommandRecorder {
  /** @throws GatewayError when the number is refused or the engine is out of reach. */
  abstract record(command: Command, answer: RecordedAnswer): Promise<void>;

  /** Gives the number up without an effect (R5). */
  abstract skip(command: Command): Promise<void>;

  /** The command ended without a record: what follows is out of order until its number comes again. */
  abstract noteMissing(command: Command): void;
}
