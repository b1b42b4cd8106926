/** Frames that are read from one client at a time; a big one counts as several. */
export const FRAMES_AT_ONCE = 32;

/** Bytes of a frame that cost as much as a frame. */
const FRAME_COST_BYTES = 2_048;

/** How much of one turn of the event loop goes to the clients that wait here, ms. */
const TURN_MS = 4;

/** The part of {@link FRAMES_AT_ONCE} that a frame costs. */
export function costOf(bytes: number): number {
  return 1 + ((bytes / FRAME_COST_BYTES) | 0);
}

/** A client that has more to read. */
export interface WaitingReader {
  /** Reads {@link FRAMES_AT_ONCE} at most. It throws only what listeners of the application throw. */
  readOn(): void;
}

/**
 * Lets the clients of a node that have sent much at once take turns: in one turn of the event loop each is read some
 * frames of, once, and all of them get a few milliseconds. A client that sends little never comes here.
 */
export class ReadingTurns {
  /** Those whose turn has come, and those for the next turn of the event loop. */
  private readonly present: WaitingReader[] = [];
  private readonly later: WaitingReader[] = [];
  private until = 0;
  private scheduled = false;

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
    this.until = performance.now() + TURN_MS;
    this.present.push(...this.later.splice(0));
    this.goOn();
  };

  private readonly goOn = (): void => {
    try {
      this.present.shift()!.readOn();
    } finally {
      // The work that the frames' handlers do at once belongs to the time of their client.
      if (this.present.length > 0) queueMicrotask(this.afterHandlers);
    }
  };

  private readonly afterHandlers = (): void => process.nextTick(this.again);

  private readonly again = (): void => {
    if (performance.now() < this.until) this.goOn();
    else this.schedule();
  };
}
