/** How long to wait before the next attempt. */
export interface BackoffOptions {
  /** Upper bound of the first wait, ms. Default 500. */
  readonly firstMs?: number;
  /** Upper bound of every wait, ms. Default 20,000. */
  readonly mostMs?: number;
  /** A connection that held this long starts the count anew, ms. Default 10,000. */
  readonly stableMs?: number;
}

/** Exponential back-off with full jitter: every wait is drawn evenly from 0 to a bound that doubles. */
export class Backoff {
  private attempts = 0;
  private advisedMs?: number;

  constructor(private readonly options: BackoffOptions) {}

  /** The server's own advice for the next wait, ms; it spreads its clients better than they can. */
  advise(ms: number): void {
    this.advisedMs = ms;
  }

  /** How long to wait now, ms. */
  next(): number {
    const { firstMs = 500, mostMs = 20_000 } = this.options;
    const bound = Math.min(mostMs, firstMs * 2 ** this.attempts++);
    const advised = this.advisedMs;
    delete this.advisedMs;
    return advised ?? Math.random() * bound;
  }

  /** Tells how long the last connection held, ms. */
  held(ms: number): void {
    if (ms >= (this.options.stableMs ?? 10_000)) this.attempts = 0;
  }
}
