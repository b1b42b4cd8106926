/** The facts about a connected client's session that numbered commands need. */
export interface ClientSession {
  readonly id: string;
  readonly user: string;
  readonly generation: number;
  /** Ms since 1970 by the engine's clock; moves while the client is connected. */
  readonly endsAt: number;
  /** True if it has sent numbered commands in the room. */
  hasLane(room: string): boolean;
  /**
   * True if only the engine can have lost a record that is missing in the room. If the record may have ended by
   * itself, a closed epoch does not prove that its commands died with the epoch.
   */
  provesLoss(room: string): boolean;
}

/** A session as it was opened for a connection. */
export interface OpenedSession<S extends ClientSession = ClientSession> {
  readonly session: S;
  /** Resumes the session on any node. */
  readonly token: string;
  /** True if the session goes on; a new session's numbers start at 1. */
  readonly resumed: boolean;
  /** Rooms that it was a member of. */
  readonly rooms: readonly string[];
}
