import { type Command, Redis, type RedisOptions } from 'ioredis';

/** Options of the driver, without those that change the form of answers. */
export type LinkSettings = RedisOptions & { readonly replyMapping?: 'legacy' };

type Stream = Parameters<Redis['sendCommand']>[1];

/** A timer that is this late shows that the process was busy, ms. */
const BUSY_MS = 20;

interface UnderWay {
  readonly command: Command;
  /** When the command fails, ms of this process' steady clock. */
  until: number;
  /** It has been given more time. */
  forgiven: boolean;
}

/**
 * A link whose commands fail when no answer comes in time. The driver's own limit is a timer for each command, which
 * also fails commands whose answers could not be read because this process was busy. Here such busy time does not
 * count, once for each command.
 */
export class PatientRedis extends Redis {
  /** Commands in the order sent; all wait equally long, so the first fails first. */
  private underWay: UnderWay[] = [];
  private first = 0;
  private wakeAt = 0;
  private timer?: NodeJS.Timeout;

  /** @param timeoutMs how long a command waits for its answer, ms */
  constructor(
    options: LinkSettings,
    private readonly timeoutMs: number,
  ) {
    super(options);
  }

  override sendCommand(command: Command, stream?: Stream): unknown {
    const sent = super.sendCommand(command, stream);
    if (command.isSettled) return sent;
    this.forgetSettled();
    this.underWay.push({ command, until: performance.now() + this.timeoutMs, forgiven: false });
    this.timer ??= this.wake(this.timeoutMs);
    return sent;
  }

  private wake(inMs: number): NodeJS.Timeout {
    this.wakeAt = performance.now() + inMs;
    return setTimeout(() => this.failLate(), inMs).unref();
  }

  private failLate(): void {
    const now = performance.now();
    if (now - this.wakeAt > BUSY_MS) this.forgive(now);
    for (this.forgetSettled(); this.underWay.length > 0; this.forgetSettled()) {
      const { command, until } = this.underWay[this.first]!;
      if (until > now) break;
      command.reject(new Error('Command timed out'));
    }
    const next = this.underWay[this.first];
    if (next) this.timer = this.wake(Math.ceil(next.until - now));
    else delete this.timer;
  }

  /**
   * Extends the wait by the process' busy time: answers that came meanwhile lie in the socket, which is read after
   * the timers.
   */
  private forgive(now: number): void {
    const busyMs = now - this.wakeAt;
    for (const entry of this.underWay.slice(this.first)) {
      if (!entry.forgiven) entry.until = Math.max(entry.until + busyMs, now + BUSY_MS);
      entry.forgiven = true;
    }
  }

  private forgetSettled(): void {
    while (this.underWay[this.first]?.command.isSettled) this.first++;
    if (this.first === 0 || (this.first < this.underWay.length && this.first < 1_024)) return;
    this.underWay = this.underWay.slice(this.first);
    this.first = 0;
  }
}
