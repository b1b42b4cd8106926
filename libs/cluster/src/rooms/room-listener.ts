import type { RoomReset } from '@wss/core';
import type { LogEntry, Position } from '@wss/protocol';

/** Takes what happens in the rooms that a node follows to its clients. */
export abstract class RoomListener {
  /** Log entries, in order, each once, without a gap since the last ones or the last reset. */
  abstract deliver(room: string, epoch: string, entries: readonly LogEntry[]): void;

  /** An event without a number; its parts are JSON. */
  abstract deliverVolatile(room: string, event: string, data: string, except?: string): void;

  /** Delivers joins and leaves of users, as JSON of a `PresenceDelta`; may be lost. */
  abstract deliverPresence(room: string, delta: string): void;

  /** Resets members, who can't go on from `before`. Nothing else of the room is delivered until this resolves. */
  abstract reset(room: string, before: Position, reset: RoomReset): Promise<void>;

  /** Positions after this one belong to a new epoch. Nothing else of the room is delivered until this resolves. */
  abstract epochChanged(room: string, before: Position, position: Position): Promise<void>;

  /** A bug keeps members from being told where the room stands: they must come again. Never throws. */
  abstract letGo(room: string): void;

  /** The room's log survives every failover up to here. */
  abstract durable(room: string, position: Position): void;

  abstract deliverToUser(user: string, event: string, data: string): void;

  abstract deliverToClient(clientId: string, event: string, data: string): void;

  abstract deliverToAll(event: string, data: string): void;

  /** A session goes on with this generation; older connections of it must end. */
  abstract sessionTakenOver(session: string, generation: number): void;

  /** The sessions of a user that have a connection here. */
  abstract sessionsOf(user: string): readonly { readonly id: string; readonly generation: number }[];
}
