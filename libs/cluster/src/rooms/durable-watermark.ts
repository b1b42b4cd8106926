import { Logger } from '@nestjs/common';
import { kindOf, LogGate, type Position, stackOf } from '@wss/protocol';
import type { RoomStore } from '@wss/state';

/** Pause between two proofs, ms. */
const EVERY_MS = 1_000;

/** A room whose log may have grown. */
export interface WatchedRoom {
  readonly name: string;
  readonly position: Position;
  /** The history of the engine that the position's epoch is bound to. */
  readonly replicationId: string;
}

/** Hears of the positions up to which the logs of rooms survive every failover. */
export interface DurabilityListener {
  durable(room: string, position: Position): void;
}

/** Dependencies and settings of a watermark. */
export interface DurableWatermarkOptions {
  readonly store: Pick<RoomStore, 'durable'>;
  readonly listener: DurabilityListener;
  /** The rooms that the node follows. */
  readonly rooms: () => Iterable<WatchedRoom>;
}

/**
 * Tells sessions the positions up to which the logs of their rooms survive every failover, so that they need not keep
 * the commands before these (R15): at most once a second for each room, with one fence for all rooms.
 */
export class DurableWatermark {
  private readonly faults = new LogGate((line) => new Logger(DurableWatermark.name).error(line));
  private readonly proven = new Map<string, Position>();
  private readonly timer: NodeJS.Timeout;
  private proving = false;

  constructor(private readonly options: DurableWatermarkOptions) {
    this.timer = setInterval(() => void this.prove(), EVERY_MS).unref();
  }

  /** Stops; the result of a proof under way is dropped. */
  close(): void {
    clearInterval(this.timer);
    this.proven.clear();
  }

  /** Forgets a room that is not followed any more. */
  forget(room: string): void {
    this.proven.delete(room);
  }

  private async prove(): Promise<void> {
    if (this.proving) return;
    this.proving = true;
    try {
      await Promise.all([...this.grown()].map(([history, rooms]) => this.proveHistory(history, rooms)));
    } catch (error) {
      this.faults.report(kindOf(error), `it is not known what survives a failover: ${stackOf(error)}`);
    }
    this.proving = false;
  }

  private async proveHistory(history: string, rooms: readonly WatchedRoom[]): Promise<void> {
    // Everything that was read or heard was written before the fence.
    if (!(await this.options.store.durable(rooms[0]!.name, history, EVERY_MS))) return;
    // A room may have been forgotten meanwhile, and nobody would forget it again.
    const watched = new Set(Array.from(this.options.rooms(), ({ name }) => name));
    for (const { name, position } of rooms.filter((room) => watched.has(room.name))) {
      this.proven.set(name, position);
      this.options.listener.durable(name, position);
    }
  }

  /** Rooms with something to prove, as they are now, by history. */
  private grown(): Map<string, WatchedRoom[]> {
    const grown = new Map<string, WatchedRoom[]>();
    for (const { name, position, replicationId } of this.options.rooms()) {
      const proven = this.proven.get(name);
      if (proven?.epoch === position.epoch && proven.seq >= position.seq) continue;
      const rooms = grown.get(replicationId) ?? [];
      rooms.push({ name, position, replicationId });
      grown.set(replicationId, rooms);
    }
    return grown;
  }
}
