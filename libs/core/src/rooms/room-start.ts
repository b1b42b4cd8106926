import type { RoomGate } from './room-gate.js';
import type { LogEntry, LostRange, Position, ResetReason } from '@wss/protocol';

/** A document on its way to clients, without having been parsed. */
export interface DocumentJson {
  /** Sequence number of the last event of the command that last changed it; 0 if never written. */
  readonly version: number;
  readonly json: string;
}

/** The documents of a room, by name. */
export type DocumentsJson = ReadonlyMap<string, DocumentJson>;

/** The way in which a client wants to begin in a room. */
export interface StartRequest {
  /** Where it stopped; without it, it begins at the live end. */
  readonly from?: Position;
  /**
   * Without a position: this many of the newest events first, rounded up to whole commands. Ignored if the documents
   * are wanted, since the events that led to them would be applied twice.
   */
  readonly newest?: number;
  /** True if it wants the documents although it lost nothing. */
  readonly documents: boolean;
  /** Aborted when nobody waits for the start any more. */
  readonly signal?: AbortSignal;
}

/** The start of a client in a room. Entries after the last one here reach it live. */
export interface RoomStart {
  /** The room's position: that of the documents if it has any, else the one after the entries. */
  readonly position: Position;
  /** True if it goes on exactly where it stopped. */
  readonly recovered: boolean;
  /** The reason for which it can't, and the numbers it saw that no longer exist. */
  readonly reason?: ResetReason;
  readonly lost?: LostRange;
  readonly documents?: DocumentsJson;
  /** Number of events up to the position that it has not seen. */
  readonly missed: number;
  /** Events to send before the live ones, or the first part of them. */
  readonly entries: readonly LogEntry[];
  /** True if the entries end before the live ones begin: the client has to begin again from their end. */
  readonly more: boolean;
  /** The endings of memberships up to the position; absent if there are none. */
  readonly gate?: RoomGate;
}

/** The reason for which members of a room must start anew, and the position. */
export interface HistoryReset {
  readonly reason: ResetReason;
  readonly position: Position;
  readonly lost?: LostRange;
  readonly documents: DocumentsJson;
  /** The endings of memberships up to the position, if there are any: members get no log to find them in. */
  readonly gate?: RoomGate;
}

/**
 * A node's wish to follow a room. The room is followed while there is a hold; its owner gives it back, whatever
 * became of its purpose.
 */
export interface RoomHold {
  /**
   * Lets a client begin in the room: `complete` is called synchronously with the deliveries of the room, so that
   * exactly the later deliveries come after the start. It is not called once the hold is released. With its events,
   * the start shows every command that was answered before the call, on any node.
   * @throws GatewayError `unavailable` when the engine is out of reach, with its error as the cause
   */
  begin(request: StartRequest, complete: (start: RoomStart) => void): Promise<void>;

  /**
   * Resolves when the room's endings of memberships are known that this node may have missed; a second call may follow.
   * @returns undefined if it has missed none, as far as it knows
   */
  current(): Promise<void> | undefined;

  /** Gives it back; calling it again has no effect. */
  release(): void;
}
