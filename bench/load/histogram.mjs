const BUCKETS = 1_000_000;
/** Microseconds of a bucket: the histogram reaches to four seconds. */
const WIDTH = 4;

/** Times of a load in buckets of 4 µs, so that counting one costs nothing. */
export class Histogram {
  #buckets = new Uint32Array(BUCKETS);
  #count = 0;

  add(us) {
    this.#buckets[Math.min(BUCKETS - 1, Math.max(0, (us / WIDTH) | 0))]++;
    this.#count++;
  }

  reset() {
    this.#buckets.fill(0);
    this.#count = 0;
  }

  /** The time in ms that this share of all did not exceed; NaN if there is none. */
  quantileMs(share) {
    if (this.#count === 0) return NaN;
    let left = this.#count * share;
    let bucket = 0;
    while (bucket < BUCKETS && (left -= this.#buckets[bucket]) > 0) bucket++;
    return (bucket * WIDTH) / 1_000;
  }
}
