import { type Command, Redis, type RedisOptions } from 'ioredis';
import { ReadingTime } from './reading-time.js';

/** Options of the driver, without those that change the form of answers. */
export type LinkSettings = RedisOptions & { readonly replyMapping?: 'legacy' };

type Stream = Parameters<Redis['sendCommand']>[1];

interface UnderWay {
  readonly command: Command;
  /** When the command fails, by {@link ReadingTime}. */
  readonly until: number;
}

/**
 * A link whose commands fail when no answer comes in time. The driver's own limit is a timer for each command, which
 * also fails commands whose answers could not be read because this process was busy. Here such busy time does not
 * count, and no command fails before the answers that have arrived are read. The driver makes one system call for each
 * command; here the commands of one turn of the event loop share one.
 */
export class PatientRedis extends Redis {
  /** Commands in the order sent; all wait equally long, so the first fails first. */
  private underWay: UnderWay[] = [];
  private first = 0;
  private readonly reading = new ReadingTime();
  private timer?: NodeJS.Timeout;
  /** Commands of this turn. */
  private sent = 0;
  /** True if there were several in the turn before that had any. */
  private isBusy = false;
  /** The connection whose writes are held back for the rest of the turn. */
  private joining: Redis['stream'] | undefined;

  /** @param timeoutMs how long a command waits for its answer, ms */
  constructor(
    options: LinkSettings,
    private readonly timeoutMs: number,
  ) {
    super(options);
  }

  override sendCommand(command: Command, stream?: Stream): unknown {
    this.joinWrites();
    const sent = super.sendCommand(command, stream);
    if (command.isSettled) return sent;
    this.forgetSettled();
    if (!this.timer) {
      this.reading.look();
      this.timer = this.lookIn(this.timeoutMs);
    }
    this.underWay.push({ command, until: this.reading.now + this.timeoutMs });
    return sent;
  }

  /**
   * Holds back what is sent until the sockets of this turn of the event loop have been read, so that it goes out in one
   * write. The first command of a turn does not wait where it was alone in the turn before.
   */
  private joinWrites(): void {
    if (this.sent++ === 0) setImmediate(this.endTurn);
    const { stream } = this;
    if (!stream || stream === this.joining || (this.sent === 1 && !this.isBusy)) return;
    this.joining = stream;
    stream.cork();
  }

  private readonly endTurn = (): void => {
    this.isBusy = this.sent > 1;
    this.sent = 0;
    const stream = this.joining;
    this.joining = undefined;
    stream?.uncork();
  };

  private lookIn(ms: number): NodeJS.Timeout {
    return this.reading.lookIn(ms, (now) => this.failLate(now));
  }

  /** @param now the time up to which all answers that arrived have been read */
  private failLate(now: number): void {
    for (this.forgetSettled(); this.underWay.length > 0; this.forgetSettled()) {
      const { command, until } = this.underWay[this.first]!;
      if (until > now) break;
      command.reject(new Error('Command timed out'));
    }
    const next = this.underWay[this.first];
    if (next) this.timer = this.lookIn(next.until - now);
    else delete this.timer;
  }

  private forgetSettled(): void {
    while (this.underWay[this.first]?.command.isSettled) this.first++;
    if (this.first === 0 || (this.first < this.underWay.length && this.first < 1_024)) return;
    this.underWay = this.underWay.slice(this.first);
    this.first = 0;
  }
}
