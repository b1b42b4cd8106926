/** Upgrades that begin in one turn of the event loop: one costs a third of a millisecond or so. */
export const UPGRADES_AT_ONCE = 2;

/**
 * Lets the upgrades of a node begin a few in a turn of the event loop, in the order in which they came: a crowd that
 * connects at once waits for itself, and clients that are here do not wait for it.
 */
export class UpgradeTurns {
  private begun = 0;
  private readonly waiting: (() => void)[] = [];
  private scheduled = false;

  /** Resolves when the next upgrade may begin; undefined: at once. */
  next(): Promise<void> | undefined {
    this.schedule();
    if (this.begun >= UPGRADES_AT_ONCE || this.waiting.length > 0) {
      return new Promise((resolve) => this.waiting.push(resolve));
    }
    this.begun++;
    return undefined;
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(this.begin);
  }

  private readonly begin = (): void => {
    this.scheduled = false;
    const next = this.waiting.splice(0, UPGRADES_AT_ONCE);
    this.begun = next.length;
    if (next.length > 0) this.schedule();
    for (const resolve of next) resolve();
  };
}
