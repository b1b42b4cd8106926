import type { RoutedCommand } from './routed-command.js';

/** How often deadlines are looked at, ms. */
const RESOLUTION_MS = 100;

/**
 * Ends commands whose handler neither answered nor entered a commit by its deadline. All commands have the same
 * time, so a plain queue is in the order of the deadlines and one timer serves all.
 */
export class Deadlines {
  private queue: RoutedCommand[] = [];
  private head = 0;
  private timer?: NodeJS.Timeout;

  constructor(private readonly onExpired: (command: RoutedCommand) => void) {}

  add(command: RoutedCommand): void {
    this.queue.push(command);
    this.timer ??= setInterval(() => this.sweep(), RESOLUTION_MS).unref();
  }

  /** Stops the timer. */
  stop(): void {
    clearInterval(this.timer);
    delete this.timer;
  }

  private sweep(): void {
    const now = performance.now();
    while (this.head < this.queue.length) {
      const command = this.queue[this.head]!;
      if (!command.answered && command.deadline > now) break;
      this.head++;
      if (!command.answered) this.onExpired(command);
    }
    if (this.head > 1_000 || this.head === this.queue.length) {
      this.queue = this.queue.slice(this.head);
      this.head = 0;
    }
    if (this.queue.length === 0) this.stop();
  }
}
