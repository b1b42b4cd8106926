import type { RoomEvents } from '@wss/core';
import type { LogGate } from '@wss/protocol';
import type { EngineTime } from '../lanes/engine-time.js';
import type { RoomStore } from '../store/room-store.js';
import type { CommittedListener } from './committed-entries.js';
import type { CallChannels, QueuePlace } from './writer-queue.js';

/** The settings of a room's type that the committer needs. */
export interface RoomLimits {
  readonly history: { readonly events: number; readonly ttlMs: number };
  readonly idleTtlMs: number;
  readonly durable?: boolean;
  readonly events?: RoomEvents;
}

/** Settings that all committers of a node share. */
export interface CommitterContext {
  readonly store: RoomStore;
  readonly nodeId: string;
  /** Channels on which nodes call each other to write a room; without them they try until they succeed. */
  readonly channels?: CallChannels;
  /** How long a commit is tried against an engine that does not answer, ms. */
  readonly patienceMs: number;
  readonly now: () => number;
  /** The engine's clock. */
  readonly time: EngineTime;
  readonly onCommitted: CommittedListener;
  readonly limitsOf: (room: string) => RoomLimits;
  /** Faults that a failing engine may bring with every commit. */
  readonly faults: LogGate;
  isClosed(): boolean;
}

/** Returns this node's place in the writer queue of a room; undefined without channels. */
export function placeOf(room: string, { store, nodeId, channels }: CommitterContext): QueuePlace | undefined {
  if (!channels) return undefined;
  const leave = (): void => {
    // If that fails, the next node goes ahead by itself.
    store.leaveQueue(room, nodeId).catch(() => undefined);
  };
  return { channels, channel: store.callChannel(room, nodeId), leave };
}
