/** Longest time that a timer of the platform can take, ms; with longer ones it would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * The steady clock, ms: no change of the device's time moves it.
 * @internal
 */
export const now = (): number => performance.now();

/**
 * Something that is to happen later, once.
 * @internal
 */
export class Timer {
  isSet?: boolean;
  private handle?: ReturnType<typeof setTimeout>;

  /** Calls back after so many milliseconds, in place of the callback set before. */
  schedule(ms: number, work: () => void): void {
    this.cancel();
    this.isSet = true;
    this.handle = setTimeout(
      () => {
        this.cancel();
        work();
      },
      Math.min(ms, LONGEST_MS),
    );
  }

  cancel(): void {
    this.isSet = false;
    clearTimeout(this.handle);
  }
}
