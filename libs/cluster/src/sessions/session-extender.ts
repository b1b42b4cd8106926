import { Logger } from '@nestjs/common';
import { GrowingPause } from '@wss/protocol';

/** The steps for each item, in this order: all of the first kind before any of the second. */
export interface ExtenderSteps<T> {
  /** Moves its end. */
  readonly end: (item: T) => Promise<void>;
  /** Moves the ends of what it has accumulated. */
  readonly rest: (item: T) => Promise<void>;
}

/** Largest number of steps under way at once. */
const AT_ONCE = 16;

/**
 * Moves the ends of many items, a few at a time. A failed item does not hold up others, and is tried again by itself;
 * an item that is requested while it is under way is done once more.
 */
export class SessionExtender<T> {
  private readonly logger = new Logger('Sessions');
  private readonly ends = new Set<T>();
  private readonly rests = new Set<T>();
  private readonly underWay = new Set<T>();
  private readonly failed = new Set<T>();
  private readonly pause: GrowingPause;
  private timer?: NodeJS.Timeout;
  private closed = false;

  /** @param mostMs longest pause before a failed item is tried again, ms */
  constructor(
    private readonly steps: ExtenderSteps<T>,
    mostMs: number,
  ) {
    this.pause = new GrowingPause({ firstMs: Math.min(1_000, mostMs), mostMs });
  }

  /** Moves the ends of these items. */
  extend(items: Iterable<T>): void {
    for (const item of items) this.ends.add(item);
    this.start();
  }

  /** Stops moving the ends of this item. */
  forget(item: T): void {
    for (const set of [this.ends, this.rests, this.failed]) set.delete(item);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private start(): void {
    while (!this.closed && this.underWay.size < AT_ONCE) {
      const next = this.next(this.ends, this.steps.end) ?? this.next(this.rests, this.steps.rest);
      if (!next) return;
      void this.run(next.item, next.step);
    }
  }

  /** The oldest that is not under way; at most as many as run at once are passed over. */
  private next(
    items: Set<T>,
    step: (item: T) => Promise<void>,
  ): { item: T; step: (item: T) => Promise<void> } | undefined {
    for (const item of items) {
      if (this.underWay.has(item)) continue;
      items.delete(item);
      return { item, step };
    }
    return undefined;
  }

  private async run(item: T, step: (item: T) => Promise<void>): Promise<void> {
    this.underWay.add(item);
    try {
      await step(item);
      this.failed.delete(item);
      if (this.failed.size === 0) this.pause.reset();
      if (step === this.steps.end) this.rests.add(item);
    } catch (error) {
      this.later(item, error as Error);
    } finally {
      this.underWay.delete(item);
      this.start();
    }
  }

  /** Its end is moved again too, since it may have passed by then. */
  private later(item: T, error: Error): void {
    if (this.closed) return;
    this.failed.add(item);
    if (this.timer) return;
    this.logger.debug(`sessions can't be extended now: ${error.message}`);
    this.timer = setTimeout(() => {
      delete this.timer;
      this.extend(this.failed);
    }, this.pause.next()).unref();
  }
}
