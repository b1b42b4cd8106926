import { Logger } from '@nestjs/common';
import { kindOf, LogGate, stackOf } from '@wss/protocol';

/** How often the engine is asked if it still has them, ms. */
const EVERY_MS = 1_000;
/** Number that is looked at in one go. */
const AT_ONCE = 500;
/** Largest number that is kept; the oldest is dropped. */
const MOST = 10_000;
/** How long one is kept, ms. */
const KEPT_MS = 3_600_000;

/** Dependencies and settings of {@link KeptWrites}. */
export interface KeptWritesOptions<T> {
  /** Names in the log whose they are, and what they are, e.g. `removals`. */
  readonly logger: string;
  readonly what: string;
  /** Asks the engine for some of them, and writes again what it has lost. */
  readonly lookAt: (writes: readonly T[]) => Promise<void>;
  /** Default 1,000 ms. */
  readonly everyMs?: number | undefined;
}

interface KeptWrite<T> {
  readonly write: T;
  /** On this process' steady clock, ms. */
  readonly since: number;
}

/**
 * Keeps what a node has written and a failover could lose, until it is proven to survive every one, and looks every
 * second if it is still there (R39). Where nothing can be proven each is kept for an hour, at most 10,000 of them.
 */
export class KeptWrites<T extends object> {
  private readonly faults: LogGate;
  private readonly kept = new Map<string, KeptWrite<T>>();
  private readonly timer: NodeJS.Timeout;
  private looking?: Promise<void>;

  constructor(private readonly options: KeptWritesOptions<T>) {
    const { logger, everyMs = EVERY_MS } = options;
    this.faults = new LogGate((line) => new Logger(logger).warn(line));
    this.timer = setInterval(() => void this.look(), everyMs).unref();
  }

  get size(): number {
    return this.kept.size;
  }

  get(key: string): T | undefined {
    return this.kept.get(key)?.write;
  }

  /** Keeps one in the place of an older one of the same key. */
  keep(key: string, write: T): void {
    this.kept.delete(key);
    this.kept.set(key, { write, since: performance.now() });
    if (this.kept.size > MOST) this.kept.delete(this.kept.keys().next().value!);
  }

  /** Since when one is kept. */
  sinceOf(key: string): number | undefined {
    return this.kept.get(key)?.since;
  }

  /** Keeps one in the place of another, and no longer than that. */
  replace(key: string, write: T, since: number | undefined): void {
    if (since !== undefined) this.kept.set(key, { write, since });
  }

  forget(key: string): void {
    this.kept.delete(key);
  }

  close(): void {
    clearInterval(this.timer);
    this.kept.clear();
  }

  /** Looks now: the engine may have lost some. Never rejects. */
  look(): Promise<void> {
    if (this.kept.size === 0) return Promise.resolve();
    return (this.looking ??= this.lookAtAll()
      .catch((error: unknown) => {
        const line = `it is not known now if ${this.options.what} are in force: ${stackOf(error)}`;
        this.faults.report(kindOf(error), line);
      })
      .finally(() => delete this.looking));
  }

  private async lookAtAll(): Promise<void> {
    const before = performance.now() - KEPT_MS;
    for (const [key, { since }] of this.kept) if (since < before) this.kept.delete(key);
    const all = [...this.kept.values()].map(({ write }) => write);
    for (let from = 0; from < all.length; from += AT_ONCE)
      await this.options.lookAt(all.slice(from, from + AT_ONCE));
  }
}
