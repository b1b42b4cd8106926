/** Bounds of a {@link GrowingPause}. */
export interface GrowingPauseOptions {
  /** About how long the first pause is, ms. */
  readonly firstMs: number;
  /** Longest pause, ms. */
  readonly mostMs: number;
}

/** Pauses between attempts: each about twice as long as the one before, half of it random, up to a maximum. */
export class GrowingPause {
  private failures = 0;

  constructor(private readonly options: GrowingPauseOptions) {}

  /** How long to wait after one more failure, ms. */
  next(): number {
    const { firstMs, mostMs } = this.options;
    const longest = Math.min(mostMs, firstMs * 2 ** Math.min(this.failures++, 30));
    return longest * (0.5 + Math.random() / 2);
  }

  /** An attempt succeeded: the next pause is short again. */
  reset(): void {
    this.failures = 0;
  }
}
