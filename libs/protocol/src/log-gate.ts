/** How long a kind of fault is counted before it is logged again, ms. */
const PERIOD_MS = 60_000;
/** Most kinds of faults that are kept apart. */
const MOST_KINDS = 100;
/** Name under which all kinds beyond {@link MOST_KINDS} are counted. */
const OTHER = 'other';

interface Told {
  line: string;
  /** Reports since the last line. */
  more: number;
  timer: ReturnType<typeof setTimeout>;
}

/** Names the class of a thrown value. Together with a place it is the kind of a fault. */
export function kindOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.constructor.name : typeof thrown;
}

/** Most causes of an error that are shown; an error may be its own cause. */
const MOST_CAUSES = 5;

/** Describes a thrown value for the log: an error by its stack and those of its causes, another object by its fields. */
export function stackOf(thrown: unknown): string {
  const texts = [];
  let next = thrown;
  do {
    texts.push(textOf(next));
    next = next instanceof Error ? next.cause : undefined;
  } while (next !== undefined && texts.length <= MOST_CAUSES);
  return texts.join('\ncaused by ');
}

function textOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.stack ?? thrown.message;
  try {
    return typeof thrown === 'object' ? JSON.stringify(thrown) : String(thrown);
  } catch {
    // It can't be written as JSON.
    return String(thrown);
  }
}

/**
 * Keeps a repeated fault from filling the log. The first report of a kind is written at once. Then one line a period
 * gives the number of further reports, until a period passes without any.
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
   * @param kind equal for reports of the same fault; few values
   * @param line event, consequence and remedy
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

  /** Ends a fault: reports that were held back are written now, and the next report of this kind at once. */
  over(kind: string): void {
    const known = this.told.get(kind);
    if (!known) return;
    clearTimeout(known.timer);
    this.told.delete(kind);
    if (known.more > 0) this.writeMore(known);
  }

  private period(kind: string): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => this.end(kind), this.periodMs);
    // A pending line must not keep a process alive.
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
