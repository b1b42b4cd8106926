import { type RoomStore } from '../store/room-store.js';
import { StoreError } from '../store/store-errors.js';

/** How long a reading counts, ms; a step of the clock meanwhile shows by what it makes expire. */
const READING_MS = 60_000;

/** The engine's clock as this node knows it: its last reading and the steady time since (R30). */
export class EngineTime {
  private last?: { readonly time: number; readonly at: number };

  /** @param now steady clock, ms */
  constructor(
    private readonly store: Pick<RoomStore, 'time'>,
    private readonly now: () => number,
  ) {}

  /**
   * The engine's time, ms since 1970; if no reading counts, it is read from the room's server.
   * @throws StoreError nothing was done
   */
  of(room: string): number | Promise<number> {
    const passed = this.last && this.now() - this.last.at;
    return passed !== undefined && passed < READING_MS ? this.last!.time + passed : this.read(room);
  }

  /** Forgets the reading, because the clock stepped or the room moved to another server. */
  forget(): void {
    delete this.last;
  }

  private async read(room: string): Promise<number> {
    try {
      const time = await this.store.time(room);
      this.last = { time, at: this.now() };
      return time;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      throw new StoreError('unavailable', error.message, { cause: error });
    }
  }
}
