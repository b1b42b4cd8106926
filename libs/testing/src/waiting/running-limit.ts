/** How often a limit looks at the clock, ms. */
const LOOK_MS = 50;
/** A longer time between two looks shows that this process stood still, ms; no more than this counts. */
const STILL_MS = 250;
/** Time that is left at least after this process stood still, ms, or a quarter of a shorter limit. */
const LEAST_AFTER_MS = 1_000;

/**
 * A limit for a wait, which counts the time in which this process ran. A machine that stalls it stalls what it waits for,
 * and what came meanwhile is not read yet: right after a stall the wait must not end. It lasts no more than twice as
 * long as asked for in running time.
 */
export class RunningLimit {
  /** Resolves when the time is over and the sockets were read once more. */
  readonly over: Promise<void>;
  private readonly leastMs: number;
  private lookedAt = performance.now();
  private leftMs: number;
  private graceMs: number;
  private end = (): void => undefined;
  private timer: NodeJS.Timeout;

  constructor(ms: number) {
    this.leftMs = ms;
    this.graceMs = ms;
    this.leastMs = Math.min(LEAST_AFTER_MS, ms / 4);
    this.over = new Promise((resolve) => (this.end = resolve));
    this.timer = this.lookLater();
  }

  /** Running time that is left, ms. */
  get left(): number {
    this.count();
    return this.leftMs;
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private lookLater(): NodeJS.Timeout {
    return setTimeout(() => this.look(), Math.min(LOOK_MS, Math.max(this.leftMs, 1)));
  }

  private look(): void {
    this.count();
    if (this.leftMs > 0) this.timer = this.lookLater();
    // Sockets are read after the timers.
    else setImmediate(this.end);
  }

  private count(): void {
    const now = performance.now();
    const passed = now - this.lookedAt;
    this.lookedAt = now;
    this.leftMs -= Math.min(passed, STILL_MS);
    if (passed > STILL_MS) this.extend();
  }

  private extend(): void {
    const more = Math.min(Math.max(this.leastMs - this.leftMs, 0), this.graceMs);
    this.graceMs -= more;
    this.leftMs += more;
  }
}
