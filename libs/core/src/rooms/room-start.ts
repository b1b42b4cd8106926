import type { LogEntry, LostRange, Position, ResetReason } from '@wss/protocol';

/** A document on its way to clients, without having been parsed. */
export interface DocumentJson {
  /** Sequence number of the last event of the command that last changed it; 0 if never written. */
  readonly version: number;
  readonly json: string;
}

/** The documents of a room, by name. */
export type DocumentsJson = ReadonlyMap<string, DocumentJson>;

/** How a client wants to begin in a room. */
export interface StartRequest {
  /** Where it stopped; without it, it begins at the live end. */
  readonly from?: Position;
  /**
   * Without a position: this many of the newest events first, rounded up to whole commands. Passed over where the
   * documents are wanted: what led to them would be applied to them twice.
   */
  readonly newest?: number;
  /** True if it wants the documents although it lost nothing. */
  readonly documents: boolean;
  /** Nobody waits for the start any more. */
  readonly signal?: AbortSignal;
}

/** Where a client begins in a room. Entries after the last one here reach it live. */
export interface RoomStart {
  /** The room's position: of the documents if there are any, else after the entries. */
  readonly position: Position;
  /** True if it goes on exactly where it stopped. */
  readonly recovered: boolean;
  /** Why it can't, and which numbers it saw that do not exist any more. */
  readonly reason?: ResetReason;
  readonly lost?: LostRange;
  readonly documents?: DocumentsJson;
  /** Number of events up to the position that it has not seen. */
  readonly missed: number;
  /** Events to send before the live ones, or the first part of them. */
  readonly entries: readonly LogEntry[];
  /** The entries end before the live ones begin: it has to begin again from their end. */
  readonly more: boolean;
}

/** Why members of a room must start anew, and from where. */
export interface RoomReset {
  readonly reason: ResetReason;
  readonly position: Position;
  readonly lost?: LostRange;
  readonly documents: DocumentsJson;
}

/** A wish to follow a room. The room is followed while there is one; its owner gives it back, whatever it was for. */
export interface RoomHold {
  /**
   * Lets a client begin in the room: `complete` is called synchronously with the deliveries of the room, so that
   * exactly what is delivered later comes after the start, and not any more once the hold is released. With its events,
   * the start shows every command that was answered before the call, on any node.
   * @throws GatewayError `unavailable` when the engine is out of reach, with its error as the cause
   */
  begin(request: StartRequest, complete: (start: RoomStart) => void): Promise<void>;

  /** Gives it back; calling it again has no effect. */
  release(): void;
}
