import type { RedisKeys } from '@wss/redis';
import type { RoomStore } from '@wss/state';
import type { Channels } from '../../src/index.js';

/** A node's way to the engine. */
export interface FeedLinks {
  readonly store: RoomStore;
  readonly channels: Channels;
}

/** Nodes' ways to one engine, and the faults that the suite needs. */
export interface FeedEngine {
  readonly keys: RedisKeys;
  openNode(): Promise<FeedLinks>;
  /** Remembers the data as a replica has it now. */
  checkpoint(): Promise<void>;
  /** Fails over to what was remembered, or to what there is. */
  failOver(): Promise<void>;
  /** Takes the events up to this one out of a room's log. */
  trim(room: string, upTo: number): Promise<void>;
  /** Forgets all rooms. */
  wipe(): Promise<void>;
  stop(): Promise<void>;
}
