import type { ErrorBody } from '@wss/protocol';
import { fromBody, WssError } from './errors.js';
import type { Link } from './link.js';
import { Pending, type Reply, type Snapshot } from './requests.js';
import type { CommandOptions } from './types.js';

/** Most replies that may be unacknowledged (the server's limit). */
const WINDOW = 32;
/** Answered commands that are kept for the case that the server loses them: how many, and how much of their data. */
const KEPT = 128;
const KEPT_CHARACTERS = 1e6;
/** How long to wait before a command that may be retried is sent again, ms; grows up to 32 times. */
const RETRY_MS = 50;
/** The event that records a number without an effect. */
const SKIP = '$skip';

/** A numbered command. */
export interface NumberedCommand {
  readonly n: number;
  readonly event: string;
  readonly data: unknown;
}

/** Commands that took effect and were lost by the server's storage. */
export interface Rollback {
  readonly room: string;
  /** The lost commands that are still known here. */
  readonly commands: readonly NumberedCommand[];
  /** Lost numbers whose commands are not known any more. */
  readonly forgotten: readonly number[];
  /** Whether the commands are sent again, exactly once. */
  readonly resubmitted: boolean;
}

/** @internal */
interface Entry extends NumberedCommand {
  readonly answer: Pending<Reply>;
  /** Length of the data as JSON. */
  readonly length: number;
  /** What became of it. */
  state: 'open' | 'done' | 'failed';
  /** Where it took effect. */
  seq?: number;
  epoch?: string;
  inFlight: boolean;
  /** How often it was sent. */
  attempts: number;
}

type Queued = Pick<Entry, 'event' | 'data' | 'answer' | 'length'>;

/**
 * The numbered commands of this session in one room: sent in order, again after every loss, and each effective
 * exactly once. A number is given when a command is first sent.
 * @internal
 */
export class Lane {
  private waiting: Queued[] = [];
  private readonly numbered = new Map<number, Entry>();
  private highest = 0;
  private acked = 0;
  private lastEpoch?: string;
  private timer?: ReturnType<typeof setTimeout>;

  constructor(
    private readonly name: string,
    private readonly link: Link,
  ) {}

  /** Commands that wait to be sent for the first time. */
  get queued(): number {
    this.waiting = this.waiting.filter(({ answer }) => !answer.settled);
    return this.waiting.length;
  }

  /** Queues a command; resolves with its reply. */
  submit(event: string, { data, length }: Snapshot, options: CommandOptions): Promise<Reply> {
    const answer = new Pending<Reply>(options);
    this.waiting.push({ event, data, length, answer });
    this.pump();
    return answer.promise;
  }

  /** Sends what may be sent now. Numbers that were given up wait for a command behind them. */
  pump(): void {
    if (!this.link.isGreeted) return;
    const isWorth = this.queued > 0 || [...this.numbered.values()].some(isCommand);
    for (let n = this.acked + 1; isWorth && n <= Math.min(this.highest, this.acked + WINDOW); n++) {
      const entry = this.numbered.get(n);
      if (entry?.state === 'open' && !entry.inFlight) this.transmit(entry);
    }
    while (this.queued > 0 && this.highest < this.acked + WINDOW) {
      this.highest++;
      this.transmit(this.open(this.highest, this.waiting.shift()!));
    }
  }

  /** The connection is gone; nothing is on its way any more. */
  disconnected(): void {
    for (const entry of this.numbered.values()) entry.inFlight = false;
  }

  /** The session is another one: what was sent and not answered has an unknown outcome, and numbers start anew. */
  expire(): void {
    const error = new WssError(
      'session_expired',
      'the session is over: look whether this took effect before you send it again',
    );
    for (const { answer } of this.numbered.values()) answer.reject(error);
    this.numbered.clear();
    this.highest = this.acked = 0;
    delete this.lastEpoch;
  }

  /** Ends everything. */
  end(error: WssError): void {
    clearTimeout(this.timer);
    for (const { answer } of [...this.waiting.splice(0), ...this.numbered.values()]) answer.reject(error);
  }

  /**
   * The server says which number is the highest that survived, and in which epoch; what is above it and was answered
   * has been lost. Unless it was answered in that epoch: then the number was read before.
   */
  survived(highest: number, epoch?: string): void {
    let n = highest;
    for (const entry of this.numbered.values()) if (epoch && entry.epoch === epoch) n = Math.max(n, entry.n);
    if (n >= this.acked) return;
    const resubmitted = this.link.settings.onRollback !== 'report';
    const commands: NumberedCommand[] = [];
    const forgotten: number[] = [];
    for (let at = n + 1; at <= this.highest; at++) {
      const { state, event, data } = this.numbered.get(at) ?? {};
      if (state === 'open') continue;
      if (!state) forgotten.push(at);
      else if (state === 'done' && event !== SKIP) commands.push({ n: at, event: event!, data });
      if (state === 'done' && resubmitted) this.numbered.get(at)!.state = 'open';
      else this.giveUp(at);
    }
    this.acked = n;
    if (commands.length + forgotten.length > 0) {
      this.link.rollbacks.emit({ room: this.name, commands, forgotten, resubmitted });
    }
    this.pump();
  }

  /** Everything up to this number of the room's log survives every failover. */
  durable(seq: number): void {
    for (const [n, entry] of this.numbered) {
      if (n <= this.acked && entry.seq !== undefined && entry.seq <= seq) this.numbered.delete(n);
    }
  }

  private open(n: number, command: Queued): Entry {
    const entry: Entry = { ...command, n, state: 'open', inFlight: false, attempts: 0 };
    this.numbered.set(n, entry);
    return entry;
  }

  /** The number is recorded without an effect, so that those behind it can go on. */
  private giveUp(n: number, attempts = 1): void {
    const answer = new Pending<Reply>({});
    answer.resolve({});
    this.open(n, { event: SKIP, data: {}, length: 0, answer }).attempts = attempts;
  }

  private transmit(entry: Entry): void {
    entry.inFlight = true;
    entry.attempts++;
    const { name: room, lastEpoch: epoch, acked: ack } = this;
    const { n, event, data } = entry;
    this.link.ask({ event, room, data, n, ack, epoch }, (reply) => {
      entry.inFlight = false;
      if (reply) this.onReply(entry, reply);
    });
  }

  private onReply(entry: Entry, reply: Reply): void {
    // An answer to a number that was opened again meanwhile belongs to its life before.
    if (this.numbered.get(entry.n) !== entry || entry.state !== 'open') return;
    const { error, seq, epoch } = reply;
    if (epoch !== undefined) this.lastEpoch = epoch;
    if (seq !== undefined || !error || error.code === 'number_reused') return this.answered(entry, reply);
    if (error.code === 'out_of_order') return this.outOfOrder(error.details?.[0]?.expected);
    if (error.code === 'session_expired') return this.expire();
    if (error.retry && !(entry.answer.settled && error.code !== 'unknown_outcome')) return this.again(entry);
    this.refused(entry, error);
  }

  /** The answer is not recorded, so its number is still free: it is used again, or given up for those behind it. */
  private refused(entry: Entry, error: ErrorBody): void {
    entry.answer.reject(fromBody(error));
    this.giveUp(entry.n, entry.attempts);
    while (this.isUnused(this.numbered.get(this.highest))) this.numbered.delete(this.highest--);
    if (entry.event === SKIP) this.again(entry);
    else this.pump();
  }

  /** What was sent once and refused is surely not recorded; of more attempts an earlier one may be. */
  private isUnused(entry: Entry | undefined): boolean {
    return entry?.event === SKIP && entry.state === 'open' && entry.attempts === 1;
  }

  private answered(entry: Entry, reply: Reply): void {
    entry.state = reply.error ? 'failed' : 'done';
    const { seq, epoch } = reply;
    if (seq !== undefined) Object.assign(entry, { seq, epoch });
    while (this.isAnswered(this.acked + 1)) this.acked++;
    this.forget();
    entry.answer.resolve(reply);
    this.pump();
  }

  private isAnswered(n: number): boolean {
    return (this.numbered.get(n)?.state ?? 'open') !== 'open';
  }

  /** Keeps what the server may still lose within bounds; beyond them a loss is reported by number only. */
  private forget(): void {
    let length = 0;
    for (let n = this.acked; n > 0; n--) {
      length += this.numbered.get(n)?.length ?? 0;
      if (n > this.acked - KEPT && length <= KEPT_CHARACTERS) continue;
      if (!this.numbered.delete(n)) return;
    }
  }

  private outOfOrder(expected: number | undefined): void {
    if (expected !== undefined && expected <= this.acked) this.survived(expected - 1);
    else this.later(RETRY_MS);
  }

  private again(entry: Entry): void {
    this.later(RETRY_MS * 2 ** Math.min(5, entry.attempts - 1) * (0.5 + Math.random()));
  }

  private later(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.pump(), ms);
  }
}

function isCommand({ event, state }: Entry): boolean {
  return state === 'open' && event !== SKIP;
}
