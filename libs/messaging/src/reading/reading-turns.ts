/** Frames that are read from one client at a time, at most; a big one counts as several. */
export const FRAMES_AT_ONCE = 32;

/** Frames and commands that have waited, and are worked off at a time: nobody knows yet how long they take. */
export const WAITING_AT_ONCE = 8;

/** Bytes of a frame that cost as much as a frame. */
const FRAME_COST_BYTES = 2_048;

/** How much of one turn of the event loop goes to the clients that wait here, ms. */
const TURN_MS = 2;

/** How much of it one of them may take, ms. */
const PART_MS = 1;

/**
 * How many frames of a client are read in its next part, after the last one took so long: half as many after a part that
 * was too long, and twice as many after a short one.
 */
export function nextPart(frames: number, ms: number): number {
  if (ms > PART_MS) return Math.max(1, frames >> 1);
  return ms < PART_MS / 2 ? Math.min(FRAMES_AT_ONCE, frames * 2) : frames;
}

/** The part of {@link FRAMES_AT_ONCE} that a frame costs. */
export function costOf(bytes: number): number {
  return 1 + ((bytes / FRAME_COST_BYTES) | 0);
}

/** A client that has more to read. */
export interface WaitingReader {
  /** Reads its part, {@link FRAMES_AT_ONCE} at most. It throws only what listeners of the application throw. */
  readOn(): void;
  /** Hears how long the part took with all that the handlers did at once, ms. */
  took(ms: number): void;
}

/**
 * Lets the clients of a node that have sent much at once take turns: in one turn of the event loop each is read some
 * frames of, once, and all of them get two milliseconds. One whose frames are dear to handle is read fewer of, so that its
 * part takes about a millisecond. A client that sends little never comes here.
 */
export class ReadingTurns {
  /** Those whose turn has come, and those for the next turn of the event loop. */
  private readonly present: WaitingReader[] = [];
  private readonly later: WaitingReader[] = [];
  private until = 0;
  /** The one whose turn it is. */
  declare private reader?: WaitingReader;
  private startedAt = 0;
  private scheduled = false;

  /** @param behind see `ReadingShares.behind`: nobody has a turn before it */
  constructor(private readonly behind: () => Promise<void> | undefined = () => undefined) {}

  /** Reads on when it is this client's turn, in a later turn of the event loop or at the end of this one. */
  add(reader: WaitingReader): void {
    this.later.push(reader);
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(this.begin);
  }

  private readonly begin = (): void => {
    this.scheduled = false;
    const behind = this.behind();
    if (behind) return this.beginAfter(behind);
    const now = performance.now();
    this.until = now + TURN_MS;
    this.present.push(...this.later.splice(0));
    this.goOn(now);
  };

  private beginAfter(behind: Promise<void>): void {
    this.scheduled = true;
    void behind.then(this.begin);
  }

  private goOn(now: number): void {
    this.startedAt = now;
    this.reader = this.present.shift()!;
    try {
      this.reader.readOn();
    } finally {
      // The work that the frames' handlers do at once belongs to the time of their client.
      queueMicrotask(this.afterHandlers);
    }
  }

  private readonly afterHandlers = (): void => process.nextTick(this.again);

  private readonly again = (): void => {
    const now = performance.now();
    this.reader!.took(now - this.startedAt);
    delete this.reader;
    if (this.present.length === 0) return;
    if (now < this.until) this.goOn(now);
    else this.schedule();
  };
}
