/** How long a kind of fault is counted before it is told again, ms. */
const PERIOD_MS = 60_000;
/** Most kinds of faults that are told apart. */
const MOST_KINDS = 100;
/** Name under which all kinds beyond {@link MOST_KINDS} are counted. */
const OTHER = 'other';

interface Told {
  line: string;
  /** Reports since the last line. */
  more: number;
  timer: ReturnType<typeof setTimeout>;
}

/** Names the class of what was thrown: with a place, the kind of a fault. */
export function kindOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.constructor.name : typeof thrown;
}

/** Tells what was thrown, for the log: an error's stack where it has one. */
export function stackOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}

/**
 * Keeps a fault that repeats itself from filling the log: the first report of a kind is written at once, then one line a
 * period, with how often it came meanwhile, until a period passes without it.
 */
export class LogGate {
  private readonly told = new Map<string, Told>();

  /** @param write writes one line */
  constructor(
    private readonly write: (line: string) => void,
    private readonly periodMs = PERIOD_MS,
  ) {}

  /**
   * Reports a fault.
   * @param kind what makes it the same fault as another; few values
   * @param line what happened, what follows, and the remedy
   */
  report(kind: string, line: string): void {
    const known = this.told.get(kind);
    if (known) {
      known.more++;
      known.line = line;
      return;
    }
    if (this.told.size >= MOST_KINDS && kind !== OTHER) return this.report(OTHER, line);
    this.told.set(kind, { line, more: 0, timer: this.period(kind) });
    this.write(line);
  }

  /** The fault is over: held-back reports of it are told now, and the next report of this kind at once. */
  over(kind: string): void {
    const known = this.told.get(kind);
    if (!known) return;
    clearTimeout(known.timer);
    this.told.delete(kind);
    if (known.more > 0) this.writeMore(known);
  }

  private period(kind: string): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => this.end(kind), this.periodMs);
    // A line that is due must not keep a process.
    (timer as { unref?: () => void }).unref?.();
    return timer;
  }

  private end(kind: string): void {
    const known = this.told.get(kind)!;
    if (known.more === 0) return void this.told.delete(kind);
    this.writeMore(known);
    known.more = 0;
    known.timer = this.period(kind);
  }

  private writeMore({ line, more }: Told): void {
    this.write(`${line} (and ${more} more times like this)`);
  }
}
