import type { HistoryReset, LoggedEnding } from '@wss/core';
import type { LogEntry, Position } from '@wss/protocol';

/** Learns what presence needs of the rooms that a node follows. */
export interface PresenceHearer {
  /** Users came or left, as JSON of a `PresenceDelta`. */
  announced(room: string, delta: string): void;

  /** The room's history may have changed, and its list of users with it (R21). */
  historyChanged(room: string): void;
}

/** Takes the events of followed rooms to the node's clients. */
export interface RoomListener {
  /** Log entries, in order, each once, without a gap since the last ones or the last reset. */
  deliver(room: string, epoch: string, entries: readonly LogEntry[]): void;

  /**
   * Endings of memberships that were missed, oldest first, before anything else of what was missed is told: members
   * whose membership has ended get nothing more (R39). Those of the entries come again with them.
   */
  ended?(room: string, endings: readonly LoggedEnding[]): void;

  /** An event without a number; its parts are JSON. */
  deliverVolatile(room: string, event: string, data: string, except?: string): void;

  /** Delivers joins and leaves of users, as JSON of a `PresenceDelta`; may be lost. */
  deliverPresence(room: string, delta: string): void;

  /** Resets members, who can't go on from `before`. Nothing else of the room is delivered until this resolves. */
  reset(room: string, before: Position, reset: HistoryReset): Promise<void>;

  /** Positions after this one belong to a new epoch. Nothing else of the room is delivered until this resolves. */
  epochChanged(room: string, before: Position, position: Position): Promise<void>;

  /**
   * Lets members go, because a bug keeps them from learning the room's position: they must come again. Never throws.
   */
  letGo(room: string): void;
}
