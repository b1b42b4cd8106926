import { randomBytes } from 'node:crypto';
import type { Lane } from './room-store.js';

/** The engine keeps a node's record for 15 minutes; a lane that rested this long is given up before that, ms. */
const REST_MS = 600_000;

/** A node's own numbers in one room, for commands that no client numbered (R12). */
export class NodeLane {
  lane: Lane;
  /** Highest number that is known to be recorded. */
  highest = 0;

  private readonly nonce = randomBytes(6).toString('base64url');
  private marked = 0;
  private generation = 0;
  private usedAt: number;

  constructor(
    private readonly prefix: string,
    private readonly now: () => number,
  ) {
    this.usedAt = now();
    this.lane = this.next();
  }

  /** Makes sure that the record has not expired; call it before numbers are given out. */
  refresh(): void {
    if (this.now() - this.usedAt > REST_MS) this.renew();
    this.usedAt = this.now();
  }

  /** A fingerprint that no other work has under any number of any lane: a number alone proves nothing (R35). */
  mark(): string {
    return this.nonce + (this.marked++).toString(36);
  }

  /** These many numbers more are recorded. */
  advance(count: number): void {
    this.highest += count;
    this.usedAt = this.now();
  }

  /** Starts a new lane, after the engine lost the record of this one or gave its numbers to others. */
  renew(): void {
    this.lane = this.next();
    this.highest = 0;
  }

  private next(): Lane {
    return { id: `${this.prefix}.${++this.generation}`, generation: 0, endsAt: 0 };
  }
}
