/** Measure taken against a client that reads too slowly. */
export type SlowClientAction =
  /** Volatile events were dropped. */
  | 'dropped'
  /** A room's events wait until it has read the others; it goes on from the log then. */
  | 'paused'
  /** Its connection was closed. */
  | 'closed';

/**
 * Told of what happens to clients and their commands, for metrics; provide one to be told. Everything is called on
 * the path of messages, so it must be cheap and never throw. No argument comes from a client.
 */
export abstract class MessagingObserver {
  /**
   * A command was answered, or ended where nobody waits for an answer.
   * @param event one that has a handler, else `unknown`
   * @param outcome `ok` or a code of the protocol's errors
   */
  abstract commandEnded(event: string, outcome: string, seconds: number): void;

  /** An upgrade was answered with this HTTP status; 101: it became a client. */
  abstract upgradeAnswered(status: number): void;

  /** A client's connection ended with this close code, which may be any number that the client chose. */
  abstract clientGone(code: number): void;

  abstract clientSlow(action: SlowClientAction): void;

  /** So many events times members of a room were sent: of the log, or volatile ones. */
  abstract delivered(kind: 'log' | 'volatile', count: number): void;

  /** A room's history changed: its members went on, or had to start anew. */
  abstract historyChanged(outcome: 'continued' | 'reset'): void;

  /** A client of a stopping node was let go in order, or was cut because it did not go. */
  abstract clientDrained(how: 'closed' | 'cut'): void;
}
