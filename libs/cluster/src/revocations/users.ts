/** For whom and why somebody is put out: it stands in the log, and clients do not see it. */
export interface DisconnectOptions {
  /** Name of the person or program that asks for it, 1 to 128 characters. */
  readonly by?: string;
  /** At most 200 characters are logged. */
  readonly reason?: string;
}

/** For whom and why rights are taken: it stands in the log, and clients do not see it. */
export interface RevokeOptions extends DisconnectOptions {
  /** Name of the person or program that asks for it, 1 to 128 characters. */
  readonly by: string;
}

/**
 * Puts users out, on every node, from any node: from handlers, controllers and jobs alike. It acts within 1 s on the
 * nodes whose links to Redis are proven, and on others before the first frame after their links are proven.
 */
export abstract class Users {
  /**
   * Closes all connections that the user has now, with 4402. They may come back, which asks the admission and the
   * guards of connections again, so it makes changed rights count. Sessions go on.
   * @throws GatewayError `unavailable`, `unknown_outcome`; `invalid` for a text that can't name a user, or options of
   *   another kind, and nothing took effect
   */
  abstract disconnect(user: string, options?: DisconnectOptions): Promise<void>;

  /**
   * Takes the user's tokens that were issued until now: they are refused, also by `$auth`; all connections of the user
   * are closed with 4501, and the sessions end. A token that is issued 3 s later or more is accepted. Calling it again
   * changes nothing but the time.
   *
   * Where Redis has replicas that may be promoted (`redis.durableReplicas`), it resolves when they have it. Otherwise it
   * is kept as far as Redis keeps it; this node repeats what a failover lost, while it runs. A node of a release without
   * revocations keeps the user; a line in the log warns of it.
   * @throws GatewayError `unknown_outcome`, with `applied` if it is in force and only its durability is unknown;
   *   `unavailable`; `invalid` for a text that can't name a user, or options of another kind, and nothing took effect
   */
  abstract revoke(user: string, options: RevokeOptions): Promise<void>;
}

/** Ends single sessions; see {@link Users} for how soon, and for what survives. */
export abstract class Sessions {
  /**
   * Ends a session for good: its connection is closed with 4501, and it can't be resumed. Its user may come back with a
   * new one. A session that is unknown is ended, too.
   * @param id as in `$hello`, `onHello` of the SDK, and `@OnSession`
   * @throws GatewayError as {@link Users.revoke}
   */
  abstract revoke(id: string, options: RevokeOptions): Promise<void>;
}
