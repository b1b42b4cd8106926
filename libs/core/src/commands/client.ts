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
   * none. `$auth` replaces them.
   */
  abstract readonly claims: Readonly<Record<string, unknown>>;
}

const NONE: Readonly<Record<string, unknown>> = Object.freeze({});

/** Returns a frozen copy of claims. */
export function frozenClaims(
  claims: Readonly<Record<string, unknown>> | undefined,
): Readonly<Record<string, unknown>> {
  return claims === undefined ? NONE : Object.freeze({ ...claims });
}
