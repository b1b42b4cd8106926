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
   * True if a record that is missing in the room can only have been lost by the engine. Where it may have ended by
   * itself, nobody may conclude from an epoch that is over that its commands died with that.
   */
  provesLoss(room: string): boolean;
}

/** A session as it was opened for a connection. */
export interface OpenedSession<S extends ClientSession = ClientSession> {
  readonly session: S;
  /** Resumes the session on any node. */
  readonly token: string;
  /** It goes on; else it is new and its numbers start at 1. */
  readonly resumed: boolean;
  /** Rooms that it was a member of. */
  readonly rooms: readonly string[];
}
