/**
 * A connected WebSocket as handlers see it: `@ConnectedSocket() client: Client`.
 *
 * It exists on one node only; data that must survive a reconnect belongs in a room or to the user.
 */
export abstract class Client {
  /** Unique in the cluster; new for every connection. */
  abstract readonly id: string;
  /** Id of the authenticated user; several clients may share it. */
  abstract readonly user: string;
  /**
   * Further facts about the user that admission proved, such as all claims of a JWT; frozen, and `{}` if there are
   * none. `$auth` replaces those of the token, and keeps what guards of connections added.
   */
  abstract readonly claims: Readonly<Record<string, unknown>>;
}

/** The claims of a client of whom admission proved nothing further. */
export const NO_CLAIMS: Client['claims'] = Object.freeze({});
