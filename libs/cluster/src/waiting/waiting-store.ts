import type { SessionConnection } from '../sessions/session-store.js';

/** A user's sessions without a connection, as they are limited. */
export interface WaitingLimit {
  readonly most: number;
  /** How long what is noted of a user is kept after the last note, ms. */
  readonly keptMs: number;
  /** How long sessions of a node without a lease are left alone, ms: it may only be cut off, and have the connections. */
  readonly restMs: number;
  /** How often sessions of nodes without a lease are looked for, ms, at most. */
  readonly scanMs: number;
}

/** Notes which sessions of a user have a connection. */
export abstract class WaitingStore {
  /**
   * Notes that the session has this connection on a node, or that it lost it. An older connection's note changes
   * nothing.
   * @param node absent: the connection is lost
   * @param alive the nodes that hold a lease
   * @returns sessions to end, longest without a connection first, at most 16; `alive` if the nodes have to be known
   * @throws Error when the engine is out of reach
   */
  abstract note(
    connection: SessionConnection,
    node: string | undefined,
    limit: WaitingLimit,
    alive?: readonly string[],
  ): Promise<readonly SessionConnection[] | 'alive'>;

  /** Forgets a session that is over, unless it has a newer connection. */
  abstract forget(connection: SessionConnection): Promise<void>;
}
