/** Longest time between two looks at the clock while anything is awaited, ms. */
export const LOOK_MS = 50;
/** A look that is this late shows that the process was busy, ms. */
const BUSY_MS = 20;

/**
 * Measures the time in which this process read its sockets, ms: the rest of a longer pause between two looks does not
 * count. Waits for answers are measured by it, because what came in a busy time still lies in the socket.
 */
export class ReadingTime {
  private counted = 0;
  private lookedAt = performance.now();

  get now(): number {
    return this.counted + Math.min(performance.now() - this.lookedAt, LOOK_MS + BUSY_MS);
  }

  look(): number {
    this.counted = this.now;
    this.lookedAt = performance.now();
    return this.counted;
  }

  /** Looks after so many ms, or earlier; then tells the time up to which all answers that arrived have been read. */
  lookIn(ms: number, onRead: (now: number) => void): NodeJS.Timeout {
    const look = (): void => {
      const now = this.look();
      // Sockets are read after the timers.
      setImmediate(onRead, now);
    };
    return setTimeout(look, Math.min(Math.ceil(ms), LOOK_MS));
  }
}
