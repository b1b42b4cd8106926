import type { IncomingMessage } from 'node:http';
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
