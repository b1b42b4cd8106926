import { type RoomStore, UNUSED_MS } from '@wss/state';
import type { FeedRoom } from './feed-room.js';
import type { FeedFaults } from '../following/room-faults.js';

/** Largest number of rooms in one comparison. */
const MAX_COMPARED = 500;
/** Largest number of rooms that are kept at once. */
const MAX_KEPT = 64;

/** Dependencies and settings of a feed's regular looks. */
export interface QuietRoomsOptions {
  readonly store: Pick<RoomStore, 'tops' | 'keep'>;
  readonly faults: FeedFaults;
  /** The rooms that the feed follows. */
  readonly rooms: () => Iterable<FeedRoom>;
  /** How long a room of this name lives while nothing is committed in it, ms; 0 if it does not end. */
  readonly idleTtlOf: (room: string) => number;
  /** A room that was quiet for this long is compared with its log, ms. */
  readonly quietMs: number;
}

/** Looks after rooms in which nothing happens: finds what a subscription missed last, and keeps them from their end. */
export class QuietRooms {
  private readonly timer: NodeJS.Timeout;
  private looking = false;

  /** @param onLook called before each look */
  constructor(
    private readonly options: QuietRoomsOptions,
    onLook: () => void,
  ) {
    this.timer = setInterval(() => {
      onLook();
      void this.look();
    }, options.quietMs).unref();
  }

  close(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    const now = performance.now();
    try {
      await this.compare(now);
    } catch (error) {
      this.options.faults.report('be compared with their logs', [error]);
    }
    // Also where a comparison failed: the part of the engine that it asked may be another one.
    await this.keepIdle(now);
    this.looking = false;
  }

  /** Finds events that the subscription missed last: without a later event, nothing else would show the gap. */
  private async compare(now: number): Promise<void> {
    const { store, rooms, quietMs } = this.options;
    const quiet = [...rooms()].filter(({ room }) => room.isOpen && now - room.heardAt >= quietMs);
    for (let from = 0; from < quiet.length; from += MAX_COMPARED) {
      const part = quiet.slice(from, from + MAX_COMPARED);
      const tops = await store.tops(part.map(({ name }) => name));
      part.forEach(({ room }, index) => room.compare(tops[index]));
    }
  }

  /** Keeps rooms with members from ending (R17), each independently of the others. */
  private async keepIdle(now: number): Promise<void> {
    const due = [...this.options.rooms()].filter((room) => this.isDue(room, now));
    const failures: unknown[] = [];
    for (let from = 0; from < due.length; from += MAX_KEPT) {
      const part = due.slice(from, from + MAX_KEPT);
      const kept = await Promise.allSettled(part.map((room) => this.keepOne(room, now)));
      failures.push(...kept.flatMap((room) => (room.status === 'rejected' ? [room.reason as unknown] : [])));
    }
    this.options.faults.report('be kept from their idle end', failures);
  }

  private isDue({ name, room, isHeld, keptAt }: FeedRoom, now: number): boolean {
    if (!isHeld || !room.isOpen) return false;
    // Even a room without an idle end may have one: while nothing was committed in it, or if its kind had one before.
    return now - keptAt >= (this.options.idleTtlOf(name) || UNUSED_MS) / 2;
  }

  private async keepOne(room: FeedRoom, now: number): Promise<void> {
    const { store, idleTtlOf } = this.options;
    await store.keep(room.name, idleTtlOf(room.name));
    room.keptAt = now;
  }
}
