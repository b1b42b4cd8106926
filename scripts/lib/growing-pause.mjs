const FIRST_MS = 250;
const LONGEST_MS = 10_000;
/** A node that served this long ended by accident: the next one starts at once. */
const STABLE_MS = 3_000;

/** The pause before a node is made again: it grows while nodes end soon after their start. */
export class GrowingPause {
  failures = 0;

  /** @returns ms; `servedMs`: how long the last one served */
  next(servedMs) {
    if (servedMs >= STABLE_MS) this.failures = 0;
    else this.failures++;
    return this.failures === 0 ? 0 : Math.min(LONGEST_MS, FIRST_MS * 2 ** (this.failures - 1));
  }
}
