/** How long to wait before the next attempt. */
export interface BackoffOptions {
  /** Upper bound of the first wait, ms. Default 500. */
  readonly firstMs?: number;
  /** Upper bound of every wait, ms. Default 20,000. */
  readonly mostMs?: number;
  /** A connection that held this long starts the count anew, ms. Default 10,000. */
  readonly stableMs?: number;
}

/**
 * Exponential back-off with full jitter: every wait is drawn evenly from 0 to a bound that doubles.
 * @internal
 */
export class Backoff {
  /** The server asked us to stay away until then; ms since 1970, 0 if it did not. */
  notBefore = 0;
  private failures = 0;
  private advisedMs?: number;

  constructor(private readonly options: BackoffOptions) {}

  /** The server's own advice for the next wait, ms; it spreads its clients better than they can. */
  advise(ms: number): void {
    this.advisedMs = ms;
  }

  /** How long to wait now, ms. */
  next(): number {
    const { firstMs = 500, mostMs = 20_000 } = this.options;
    const bound = Math.min(mostMs, firstMs * 2 ** this.failures++);
    const advised = this.advisedMs;
    delete this.advisedMs;
    this.notBefore = advised === undefined ? 0 : Date.now() + advised;
    return advised ?? Math.random() * bound;
  }

  /** Tells how long the last connection held, ms. */
  held(ms: number): void {
    if (ms >= (this.options.stableMs ?? 10_000)) this.failures = 0;
  }
}
