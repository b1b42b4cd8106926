import { Logger } from '@nestjs/common';
import { kindOf, LogGate } from '@wss/protocol';
import type { NodeRegistry } from '../nodes/node-registry.js';
import type { PlaceStore } from './place-store.js';

/** How often a node notes its places again, ms: a failover may have lost them. */
const AGAIN_MS = 60_000;

/** The number of places, and from how many on this node tells the others of its own. */
export interface PlaceLimit {
  readonly most: number;
  /** Default 1. A node with fewer is not counted by the others, and asks nobody. */
  readonly from?: number;
}

interface Count {
  /** Places that this node has taken or is about to take. */
  taken: number;
  /** The number that the engine has last been told; 0: none. */
  noted: number;
}

/**
 * Counts this node's places of names whose number is limited over all nodes, such as connections of a user.
 *
 * The engine is told absolute numbers, so that a repeat, or a number that was lost, does no harm. The places of a node
 * without a lease do not count: its counts are dropped by the node that they would keep out.
 */
export class PlaceCounts {
  private readonly counts = new Map<string, Count>();
  private readonly faults = new LogGate((line) => new Logger('Places').warn(line));
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly store: PlaceStore,
    private readonly registry: Pick<NodeRegistry, 'alive' | 'onRenewed'>,
  ) {
    this.timer = setInterval(() => void this.noteAgain(), AGAIN_MS).unref();
    registry.onRenewed(() => void this.noteAgain());
  }

  /**
   * Takes a place; each that was taken is given back by {@link release}.
   * @returns false if there is none left; then nothing is to be given back
   * @throws Error when the engine is out of reach; nothing is taken
   */
  async take(name: string, { most, from = 1 }: PlaceLimit): Promise<boolean> {
    const count = this.counts.get(name) ?? { taken: 0, noted: 0 };
    this.counts.set(name, count);
    count.taken++;
    if (count.taken < from && count.noted === 0) return true;
    try {
      if (await this.note(name, count, most)) return true;
    } catch (error) {
      // It may be noted all the same.
      count.noted = count.taken;
      this.release(name);
      throw error;
    }
    this.release(name);
    return false;
  }

  /** Gives a place back. */
  release(name: string): void {
    const count = this.counts.get(name);
    if (!count) return;
    count.taken--;
    if (count.noted > 0) void this.tell(name, count);
    else if (count.taken === 0) this.counts.delete(name);
  }

  /** Tells nothing any more; the others drop this node's counts when it has no lease. */
  close(): void {
    clearInterval(this.timer);
    this.counts.clear();
  }

  private async note(name: string, count: Count, most: number): Promise<boolean> {
    const { taken } = count;
    const others = await this.store.take(name, taken, most === Infinity ? undefined : most);
    if (!others) {
      count.noted = taken;
      return true;
    }
    const alive = new Set((await this.registry.alive()).map(({ nodeId }) => nodeId));
    const dead = others.filter((node) => !alive.has(node));
    if (dead.length === 0) return false;
    await this.store.drop(name, dead);
    if (await this.store.take(name, taken, most === Infinity ? undefined : most)) return false;
    count.noted = taken;
    return true;
  }

  /** Calls arrive in the order in which they were sent, so the last number is the one that stays. */
  private async tell(name: string, count: Count): Promise<void> {
    const { taken } = count;
    try {
      await this.store.take(name, taken);
      count.noted = taken;
    } catch (error) {
      this.faults.report(
        kindOf(error),
        'counts of places could not be told; they are told again in a minute',
      );
    }
    if (count.taken === 0 && count.noted === 0 && this.counts.get(name) === count) this.counts.delete(name);
  }

  private async noteAgain(): Promise<void> {
    for (const [name, count] of [...this.counts]) {
      if (count.noted > 0 && this.counts.get(name) === count) await this.tell(name, count);
    }
  }
}
