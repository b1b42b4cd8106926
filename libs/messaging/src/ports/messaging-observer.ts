/** Measure taken against a client that reads too slowly. */
export type SlowClientAction =
  /** Volatile events were dropped. */
  | 'dropped'
  /** A room's events wait until it has read the others; it goes on from the log then. */
  | 'paused'
  /** Its connection was closed. */
  | 'closed';

/** Limit for which a client is not read from. */
export type PauseCause = 'frames' | 'bytes' | 'commands';

/**
 * Hears of events of clients and their commands, for metrics; provide an implementation to use it. All methods are
 * called on the path of messages, so they must be cheap and never throw. No argument comes from a client.
 */
export abstract class MessagingObserver {
  /**
   * A command was answered, or ended without an answer.
   * @param event one that has a handler, else `unknown`
   * @param outcome `ok` or a code of the protocol's errors
   */
  abstract commandEnded(event: string, outcome: string, seconds: number): void;

  /**
   * An upgrade was answered with this HTTP status; 101: it became a client.
   * @param check the one that failed, where it was refused; few values, all of them ours
   */
  abstract upgradeAnswered(status: number, check?: string): void;

  /** A client's connection ended with this close code, which may be any number that the client chose. */
  abstract clientGone(code: number): void;

  abstract clientSlow(action: SlowClientAction): void;

  /**
   * A client is not read from for a while, because it sent more than its share of frames or bytes per second, or because
   * too many of its commands are under way.
   */
  clientPaused?(by: PauseCause): void;

  /** Events of the log, or volatile ones, were sent: the count is events times members. */
  abstract delivered(kind: 'log' | 'volatile', count: number): void;

  /** A membership was ended by the node, because the room's log says so. */
  memberRemoved?(): void;

  /** A room's history changed: its members went on, or had to start anew. */
  abstract historyChanged(outcome: 'continued' | 'reset'): void;

  /** A client of a stopping node closed in order, or was cut because it did not. */
  abstract clientDrained(how: 'closed' | 'cut'): void;
}
