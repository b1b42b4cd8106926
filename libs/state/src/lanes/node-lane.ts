import { randomBytes } from 'node:crypto';
import type { EngineTime } from './engine-time.js';
import type { CommitLane } from '../store/room-store.js';

/** How long a lane counts, ms by the engine's clock; a record of it lives for 15 minutes from its last commit on. */
const LANE_MS = 600_000;
/** How long one lane is used, ms, so that its last commands can be settled before its end. */
const USED_MS = 300_000;

/**
 * A node's own numbers in one room, for commands that no client numbered (R12).
 *
 * A lane has an end, which the engine judges and which comes before the end of its record. So a number without a
 * record was not done, unless the engine says that the lane is over (R30).
 */
export class NodeLane {
  lane: CommitLane;
  /** Highest number that is known to be recorded. */
  highest = 0;

  private readonly nonce = randomBytes(6).toString('base64url');
  private marked = 0;
  private generation = 0;
  private openedAt?: number;

  constructor(
    private readonly room: string,
    private readonly context: {
      readonly nodeId: string;
      readonly now: () => number;
      readonly time: EngineTime;
    },
  ) {
    this.lane = this.next();
  }

  /** Begins a new lane before the end of this one; call it before numbers are given out. */
  refresh(): void {
    const { openedAt } = this;
    if (openedAt !== undefined && this.context.now() - openedAt > USED_MS) this.renew();
  }

  /**
   * Gives the lane its end; call it before numbers are sent.
   * @throws StoreError nothing was done
   */
  open(): Promise<void> | undefined {
    return this.openedAt === undefined ? this.begin() : undefined;
  }

  /** A fingerprint that no other work has under any number of any lane: a number alone proves nothing (R35). */
  mark(): string {
    return this.nonce + (this.marked++).toString(36);
  }

  /** Notes that this many more numbers are recorded. */
  advance(count: number): void {
    this.highest += count;
  }

  /** Starts a new lane, after the engine lost the record of this one or gave its numbers to others. */
  renew(): void {
    this.lane = this.next();
    this.highest = 0;
    delete this.openedAt;
  }

  private async begin(): Promise<void> {
    const { lane } = this;
    const time = await this.context.time.of(this.room);
    (lane as { endsAt: number }).endsAt = Math.floor(time) + LANE_MS;
    this.openedAt = this.context.now();
  }

  private next(): CommitLane {
    return {
      id: `@${this.context.nodeId}.${++this.generation}`,
      generation: 0,
      endsAt: 0,
      ofNode: true,
    };
  }
}
