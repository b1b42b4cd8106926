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
}
