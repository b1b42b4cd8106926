/** Limits concurrent work; the rest waits, first come, first served. */
export class Slots {
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  /** @param most how many works may run at a time */
  constructor(private readonly most: number) {}

  /** True if no work runs or waits. */
  get isFree(): boolean {
    return this.running === 0;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.running < this.most) this.running++;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The slot passes on directly, so that no newcomer gets in between.
      const next = this.waiting.shift();
      if (next) next();
      else this.running--;
    }
  }
}
