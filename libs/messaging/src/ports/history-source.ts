import type { RoomGate } from '@wss/core';
import type { LogEntry, LostRange, Position } from '@wss/protocol';

/** The part of a room's log to read. */
export interface HistoryQuery {
  /** The page ends before this number; default: with the newest event. */
  readonly before?: number;
  /** Epoch to which that number belongs. */
  readonly epoch?: string;
  /** Most events, unless a single command has more. */
  readonly events: number;
  /** Most bytes of the stored commands; a single one may have more. */
  readonly bytes: number;
  /** True: reads beside commands; the answer counts only in the epoch that the room is known to be in. */
  readonly bulk?: boolean;
}

/** A part of a room's log. */
export interface HistoryPage {
  /** The room's position now. */
  readonly position: Position;
  /** The room's gate, if memberships were ever ended. */
  readonly gate?: RoomGate;
  /** Whole commands without a gap, oldest first; the last one may reach beyond the page. */
  readonly entries: readonly LogEntry[];
  /** Number of the oldest event that the log has. */
  readonly oldest: number;
  /** Set when the number belongs to a history that the room did not go on with; then there are no entries. */
  readonly reason?: 'rolled_back' | 'unknown_epoch';
  /** With `rolled_back`: the numbers that no longer exist. */
  readonly lost?: LostRange;
}

/** Reads the logs of rooms. The application provides it. */
export abstract class HistorySource {
  /** @throws GatewayError `unavailable` */
  abstract page(room: string, request: HistoryQuery): Promise<HistoryPage>;
}
