interface Due {
  readonly id: number;
  readonly at: number;
  readonly work: () => void;
  /** Set by the code under test. */
  readonly isTimer: boolean;
}

/** Time that passes as fast as a test likes: timers and the steady clock of this process, until it is put back. */
export class VirtualClock {
  now = 1_000;
  private nextId = 1;
  private due: Due[] = [];
  private readonly real = {
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    setImmediate: globalThis.setImmediate,
    now: performance.now.bind(performance),
  };

  install(): void {
    const later = (work: () => void, ms = 0): number => this.after(ms, work, true);
    const cancel = (id: number): void => void (this.due = this.due.filter((one) => one.id !== id));
    Object.assign(globalThis, { setTimeout: later, clearTimeout: cancel });
    performance.now = () => this.now;
  }

  uninstall(): void {
    const { setTimeout, clearTimeout, now } = this.real;
    Object.assign(globalThis, { setTimeout, clearTimeout });
    performance.now = now;
  }

  after(ms: number, work: () => void, isTimer = false): number {
    const id = this.nextId++;
    this.due.push({ id, at: this.now + Math.max(0, ms), work, isTimer });
    return id;
  }

  /** How many timers are set. */
  get timers(): number {
    return this.due.filter(({ isTimer }) => isTimer).length;
  }

  /** Lets so much time pass, and everything happen that is due. */
  async pass(ms: number): Promise<void> {
    const until = this.now + ms;
    for (;;) {
      await this.settled();
      const next = this.due.reduce<Due | undefined>(
        (first, one) => (!first || one.at < first.at ? one : first),
        undefined,
      );
      if (!next || next.at > until) break;
      this.due.splice(this.due.indexOf(next), 1);
      this.now = Math.max(this.now, next.at);
      next.work();
    }
    this.now = until;
  }

  /** All promises that can be settled without more time are. */
  private settled(): Promise<void> {
    return new Promise((resolve) => this.real.setImmediate(resolve));
  }
}
