import { setTimeout as delay } from 'node:timers/promises';

const NEWLINE = 10;
const SENT_AT = Buffer.from('"t":');
/** Added to the time in a message: it has twelve digits then, whenever the process began. */
const EPOCH_US = 1e11;
const DIGITS = 12;
/** One member in so many reads the time of what it gets. */
const SAMPLED = 16;
const SETTLING_MS = 300;

const nowUs = () => performance.now() * 1_000;

/** Publishes messages into rooms and counts what comes to their members. */
export class FanOut {
  #wire;
  #size;
  #published = 0;
  #delivered = 0;
  #due = Infinity;
  #onDue = () => undefined;

  constructor(wire, size = 128) {
    this.#wire = wire;
    this.#size = size;
  }

  /** Counts what members get; `histogramOf(i)` is that of the times until member `i` has a message. */
  watch(members, histogramOf) {
    for (const [i, member] of members.entries()) {
      const histogram = i % SAMPLED === 0 ? histogramOf(i) : undefined;
      member.onFrame = (bytes, from, length) => {
        if (histogram) readTime(bytes, from, histogram);
        this.#delivered += this.#wire.hasLines ? linesOf(bytes, from, length) : 1;
        if (this.#delivered >= this.#due) this.#onDue();
      };
    }
  }

  publish(client, room) {
    const head = `{"room":"${room}","t":${Math.round(nowUs() + EPOCH_US)},"n":${this.#published++},"p":"`;
    // 25: what the plainest of the wires puts around the data.
    client.send(this.#wire.tell('pub', `${head}${'x'.repeat(Math.max(1, this.#size - 25 - head.length))}"}`));
  }

  /** Keeps `window` messages on their way to `members` each, and measures what one that arrives costs. */
  async saturate({ meter, members, window, publish, onBegin }) {
    let isOn = true;
    this.#published = this.#delivered = 0;
    this.#due = members;
    this.#onDue = () => {
      while (this.#delivered >= this.#due) {
        this.#due += members;
        if (isOn) publish();
      }
    };
    for (let i = 0; i < window; i++) publish();
    const measured = await meter.measure(() => this.#delivered, onBegin);
    isOn = false;
    const missing = await this.#drain(this.#published * members);
    this.#due = Infinity;
    return { ...measured, missing };
  }

  /** Publishes at a fixed pace. */
  async pace({ perSecond, ms, publish }) {
    const began = performance.now();
    for (let n = 0; performance.now() - began < ms; n++) {
      publish();
      await delay(Math.max(0, began + ((n + 1) * 1_000) / perSecond - performance.now()));
    }
    await delay(SETTLING_MS);
  }

  /** Waits until everything is there, or nothing comes for a second; returns how much is missing. */
  async #drain(expected) {
    for (let last = -1; this.#delivered < expected && last !== this.#delivered;) {
      last = this.#delivered;
      await delay(1_000);
    }
    return expected - this.#delivered;
  }
}

function readTime(bytes, from, histogram) {
  const at = bytes.indexOf(SENT_AT, from) + SENT_AT.length;
  histogram.add(nowUs() + EPOCH_US - Number(bytes.latin1Slice(at, at + DIGITS)));
}

function linesOf(bytes, from, length) {
  let lines = 1;
  for (let at = from; at < from + length - 1; at++) if (bytes[at] === NEWLINE) lines++;
  return lines;
}
