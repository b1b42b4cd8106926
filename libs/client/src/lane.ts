import { fromBody, WssError } from './errors.js';
import { Pending, type Reply } from './requests.js';
import type { CommandOptions } from './types.js';

/** Most replies that may be unacknowledged (the server's limit). */
const WINDOW = 32;
/** Answered commands that are kept for the case that the server loses them. */
const KEPT = 128;
/** How long to wait before a command that may be retried is sent again, ms; grows up to 32 times. */
const RETRY_MS = 50;

/** A numbered command, from before it is sent until its effect can't be lost any more. */
export interface NumberedCommand {
  readonly n: number;
  readonly event: string;
  readonly data: unknown;
  /** What became of it. `given up` commands are sent as `$skip`. */
  state: 'open' | 'done' | 'failed' | 'given up';
  /** Where it took effect. */
  seq?: number;
}

/** Commands that took effect and were lost by the server's storage. */
export interface Rollback {
  readonly room: string;
  /** The lost commands that are still known here. */
  readonly commands: readonly Pick<NumberedCommand, 'n' | 'event' | 'data'>[];
  /** Lost numbers whose commands are not known any more. */
  readonly forgotten: readonly number[];
  /** Whether the commands are sent again, exactly once. */
  readonly resubmitted: boolean;
}

/** What a lane needs of its surroundings. */
export interface LaneContext {
  readonly room: string;
  /** Whether numbered commands may go out now. */
  canSend(): boolean;
  /** Sends a frame; `done` gets its reply, or nothing when the connection is lost first. */
  request(frame: object, done: (reply: Reply | undefined) => void): void;
  /** Whether lost commands are sent again. */
  readonly resubmits: boolean;
  onRollback(rollback: Rollback): void;
}

interface Entry extends NumberedCommand {
  readonly pending: Pending<Reply>;
  inFlight: boolean;
  attempts: number;
}

/**
 * The numbered commands of this session in one room: sent in order, again after every loss, and each effective
 * exactly once. A number is given when a command is first sent and never abandoned.
 */
export class Lane {
  private readonly queue: { event: string; data: unknown; pending: Pending<Reply> }[] = [];
  private readonly entries = new Map<number, Entry>();
  private last = 0;
  private acked = 0;
  private epoch?: string;
  private timer?: ReturnType<typeof setTimeout>;

  constructor(private readonly context: LaneContext) {}

  /** Commands that wait to be sent for the first time. */
  get queued(): number {
    return this.queue.length;
  }

  /** Queues a command; resolves with its reply. */
  async submit(event: string, data: unknown, options: CommandOptions): Promise<Reply> {
    const pending = new Pending<Reply>(options);
    this.queue.push({ event, data, pending });
    this.pump();
    return pending.promise;
  }

  /** Sends what may be sent now. */
  pump(): void {
    if (!this.context.canSend()) return;
    for (let n = this.acked + 1; n <= this.last; n++) {
      const entry = this.entries.get(n);
      if (entry?.state === 'open' && !entry.inFlight && n <= this.acked + WINDOW) this.send(entry);
    }
    while (this.queue.length > 0 && this.last < this.acked + WINDOW) {
      const { event, data, pending } = this.queue.shift()!;
      if (pending.settled) continue;
      const entry: Entry = {
        n: ++this.last,
        event,
        data,
        pending,
        state: 'open',
        inFlight: false,
        attempts: 0,
      };
      this.entries.set(entry.n, entry);
      this.send(entry);
    }
  }

  /** The connection is gone; nothing is on its way any more. */
  lost(): void {
    for (const entry of this.entries.values()) entry.inFlight = false;
  }

  /** The session is another one: what was sent and not answered has an unknown outcome, and numbers start anew. */
  expire(): void {
    const error = new WssError(
      'session_expired',
      'the session is over; the outcome of this command is unknown',
    );
    for (const { pending } of this.entries.values()) pending.reject(error);
    this.entries.clear();
    this.last = this.acked = 0;
    delete this.epoch;
  }

  /** Ends everything. */
  end(error: WssError): void {
    clearTimeout(this.timer);
    for (const { pending } of [...this.queue.splice(0), ...this.entries.values()]) pending.reject(error);
  }

  /** The server says which number is the highest that survived; what is above it and was answered has been lost. */
  survived(n: number): void {
    if (n >= this.acked) return;
    const lost = [...this.entries.values()].filter((entry) => entry.n > n && entry.state !== 'open');
    const known = new Set(lost.map((entry) => entry.n));
    const forgotten: number[] = [];
    for (let at = n + 1; at <= this.acked; at++) if (!known.has(at)) forgotten.push(at);
    const effective = lost.filter(({ state, event }) => state === 'done' && event !== '$skip');
    const { resubmits, room } = this.context;
    for (const entry of lost) this.reopen(entry, entry.state === 'done' && resubmits);
    for (const at of forgotten) this.entries.set(at, givenUp(at));
    this.acked = n;
    if (effective.length + forgotten.length > 0) {
      const commands = effective.map(({ n: number, event, data }) => ({ n: number, event, data }));
      this.context.onRollback({ room, commands, forgotten, resubmitted: resubmits });
    }
    this.pump();
  }

  /** Everything up to this number of the room's log survives every failover. */
  durable(seq: number): void {
    for (const [n, entry] of this.entries) {
      if (n <= this.acked && entry.seq !== undefined && entry.seq <= seq) this.entries.delete(n);
    }
  }

  private reopen(entry: Entry, again: boolean): void {
    entry.state = again ? 'open' : 'given up';
    entry.inFlight = false;
    delete entry.seq;
    if (entry.state === 'given up') this.entries.set(entry.n, givenUp(entry.n));
  }

  private send(entry: Entry): void {
    entry.inFlight = true;
    const { room } = this.context;
    const { n, event, data } = entry;
    const ack = this.acked;
    const frame = { event, room, data, n, ack, ...(this.epoch !== undefined && { epoch: this.epoch }) };
    this.context.request(frame, (reply) => {
      entry.inFlight = false;
      if (reply) this.onReply(entry, reply);
    });
  }

  private onReply(entry: Entry, reply: Reply): void {
    // An answer to a number that was opened again meanwhile belongs to its life before.
    if (this.entries.get(entry.n) !== entry || entry.state !== 'open') return;
    const { error, seq, epoch } = reply;
    if (epoch !== undefined) this.epoch = epoch;
    if (seq !== undefined || !error) return this.answered(entry, reply);
    if (error.code === 'out_of_order') return this.outOfOrder(error.details?.[0]?.expected);
    if (error.code === 'session_expired') return this.expire();
    if (error.retry && !entry.pending.settled) return this.retry(entry);
    // Not recorded, so the number is still open: it is given up in its place.
    entry.pending.reject(fromBody(error));
    this.entries.set(entry.n, givenUp(entry.n));
    this.pump();
  }

  private answered(entry: Entry, reply: Reply): void {
    entry.state = reply.error ? 'failed' : 'done';
    if (reply.seq !== undefined) entry.seq = reply.seq;
    while (this.entries.get(this.acked + 1) && this.entries.get(this.acked + 1)!.state !== 'open')
      this.acked++;
    for (const n of this.entries.keys()) {
      if (n > this.acked - KEPT) break;
      this.entries.delete(n);
    }
    entry.pending.resolve(reply);
    this.pump();
  }

  private outOfOrder(expected: number | undefined): void {
    if (expected !== undefined && expected <= this.acked) this.survived(expected - 1);
    else this.later(RETRY_MS);
  }

  private retry(entry: Entry): void {
    this.later(RETRY_MS * 2 ** Math.min(5, entry.attempts++) * (0.5 + Math.random()));
  }

  private later(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.pump(), ms);
  }
}

/** Records a number without an effect, so that those behind it can go on. */
function givenUp(n: number): Entry {
  const pending = new Pending<Reply>({});
  pending.resolve({});
  return { n, event: '$skip', data: {}, pending, state: 'open', inFlight: false, attempts: 0 };
}

/** The reply's data, or its error thrown. */
export function dataOf({ data, error }: Reply): unknown {
  if (error) throw fromBody(error);
  return data ?? null;
}
