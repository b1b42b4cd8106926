import type { RoutedCommand } from './routed-command.js';

/** How often deadlines are checked, ms. */
const RESOLUTION_MS = 100;

/** Ends commands whose handler neither answered nor entered a commit by its deadline; one timer serves all. */
export class Deadlines {
  private open: RoutedCommand[] = [];
  private timer?: NodeJS.Timeout;

  constructor(private readonly onExpired: (command: RoutedCommand) => void) {}

  add(command: RoutedCommand): void {
    this.open.push(command);
    this.timer ??= setInterval(() => this.sweep(), RESOLUTION_MS).unref();
  }

  /** Stops the timer. */
  stop(): void {
    clearInterval(this.timer);
    delete this.timer;
  }

  /** Ends the commands whose deadline has passed, and forgets answered ones. */
  private sweep(): void {
    const now = performance.now();
    const unanswered = this.open.filter(({ answered }) => !answered);
    this.open = unanswered.filter(({ deadline }) => deadline > now);
    if (this.open.length === 0) this.stop();
    if (this.open.length === unanswered.length) return;
    for (const command of unanswered) if (command.deadline <= now) this.onExpired(command);
  }
}
