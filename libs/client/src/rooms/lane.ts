import type { ErrorBody } from '@wss/protocol';
import type { Attendance } from './attendance.js';
import { retryDelay } from '../time/backoff.js';
import { now, Timer } from '../time/clock.js';
import { fromBody, WssError } from '../values/errors.js';
import type { Link } from '../connection/link.js';
import { lostError, Pending, Queue, type Reply, type Snapshot } from '../connection/requests.js';
import type { CommandOptions, NumberedCommand, Rollback } from '../values/types.js';

/** Most replies that may be unacknowledged (the server's limit). */
const WINDOW = 32;
/** Answered commands that are kept for the case that the server loses them: how many, and how much of their data. */
const KEPT = 128;
const KEPT_CHARACTERS = 1e6;
/** How long to wait for the numbers before, ms. */
const ORDER_MS = 50;
/** The event that records a number without an effect. */
const SKIP = '$skip';

/** @internal */
interface Entry extends NumberedCommand {
  readonly answer: Pending<Reply>;
  /** Length of the data as JSON. */
  readonly length: number;
  /** The command's outcome so far. */
  state: 'open' | 'done' | 'failed';
  /** Where it took effect. */
  seq?: number;
  epoch?: string;
  inFlight?: boolean;
  /** How often it was sent. */
  attempts: number;
  /** It may be recorded: an answer was lost, or did not say. */
  uncertain?: boolean;
  /** It was answered, and its effect was lost. */
  again?: boolean;
}

type Queued = Pick<Entry, 'event' | 'data' | 'answer' | 'length'>;

/**
 * The numbered commands of this session in one room: sent in order, again after every loss, and each effective
 * exactly once. A number is given when a command is first sent.
 * @internal
 */
export class Lane {
  private readonly waiting: Queue<Queued>;
  private readonly numbered = new Map<number, Entry>();
  private highest = 0;
  private acked = 0;
  private lastEpoch?: string;
  /** While it is set, nothing is sent. */
  private readonly timer = new Timer();
  private notBefore = 0;

  constructor(
    private readonly attendance: Attendance,
    private readonly link: Link,
  ) {
    this.waiting = new Queue(link);
  }

  /** True if a command is on its way. */
  get isBusy(): boolean {
    return [...this.numbered.values()].some(({ inFlight }) => inFlight);
  }

  /** Queues a command; resolves with its reply. */
  submit(event: string, { data, length }: Snapshot, options: CommandOptions): Promise<Reply> {
    const answer = new Pending<Reply>(options, this.link);
    this.waiting.add({ event, data, length, answer });
    this.pump();
    return answer.promise;
  }

  /**
   * Sends the commands that may be sent now: the server refuses any that come before it has let us in. Numbers that
   * were given up wait for a command behind them.
   */
  pump(): void {
    if (!this.attendance.isIn || this.timer.isSet) return;
    const isWorth = !this.waiting.isEmpty || [...this.numbered.values()].some(isCommand);
    for (let n = this.acked + 1; isWorth && n <= Math.min(this.highest, this.acked + WINDOW); n++) {
      const entry = this.numbered.get(n);
      if (entry?.state === 'open' && !entry.inFlight) this.transmit(entry);
    }
    for (let command; this.highest < this.acked + WINDOW && (command = this.waiting.take());) {
      this.transmit(this.open(++this.highest, command));
    }
  }

  /** The room is not ours any more: commands not yet sent fail. Commands on their way get their answer. */
  drop(error: WssError): void {
    this.waiting.fail(error);
    this.abandon(error);
    this.reclaim();
  }

  /** The session is another one: unanswered commands have an unknown outcome, and numbers start anew. */
  expire(): void {
    const error = new WssError('session_expired', 'lost');
    for (const entry of this.numbered.values()) {
      entry.answer.fail(error);
      this.lose(entry);
    }
    this.numbered.clear();
    this.highest = this.acked = 0;
    delete this.lastEpoch;
  }

  /** The client has ended. */
  end(): void {
    this.timer.cancel();
  }

  /** Fails commands that were sent but are not on their way; their numbers are given up for those behind them. */
  private abandon(error: WssError): void {
    for (const entry of this.numbered.values()) {
      if (!isCommand(entry) || entry.inFlight) continue;
      entry.answer.fail(entry.uncertain ? lostError() : error);
      this.giveUp(entry);
    }
  }

  /**
   * The server says which number is the highest that survived, and in which epoch. Answered commands above it are
   * lost, unless they were answered in that epoch: then the number was read before.
   */
  survived(highest?: number, epoch?: string): void {
    if (highest === undefined) return;
    let n = highest;
    for (const entry of this.numbered.values()) if (epoch && entry.epoch === epoch) n = Math.max(n, entry.n);
    // An earlier visit, which this client does not remember, got that far.
    if (this.highest === 0) {
      this.highest = this.acked = n;
      if (n > 0) this.lastEpoch = epoch;
    }
    if (n >= this.acked) return;
    const resubmitted = this.link.settings.onRollback !== 'report';
    const commands: NumberedCommand[] = [];
    const forgotten: number[] = [];
    for (let at = n + 1; at <= this.highest; at++) {
      const { state, event, data } = this.numbered.get(at) ?? {};
      if (state === 'open') continue;
      if (!state) forgotten.push(at);
      else if (state === 'done' && event !== SKIP) commands.push({ n: at, event: event!, data });
      if (state === 'done' && resubmitted)
        Object.assign(this.numbered.get(at)!, { state: 'open', again: true });
      else this.giveUp({ n: at });
    }
    this.acked = n;
    if (commands.length + forgotten.length > 0) this.tell({ commands, forgotten, resubmitted });
    this.pump();
  }

  /** Everything up to this number of the room's log survives every failover. */
  replicated(seq: number): void {
    for (const [n, entry] of this.numbered) {
      if (n <= this.acked && entry.seq! <= seq) this.numbered.delete(n);
    }
  }

  private open(n: number, command: Queued): Entry {
    const entry: Entry = { ...command, n, state: 'open', attempts: 0 };
    this.numbered.set(n, entry);
    return entry;
  }

  /** The number is recorded without an effect, so that those behind it can go on. */
  private giveUp(entry: Pick<Entry, 'n'> & Partial<Entry>): void {
    const answer = new Pending<Reply>({});
    answer.fulfil({});
    this.open(entry.n, { event: SKIP, data: {}, length: 0, answer }).uncertain = entry.uncertain;
    this.lose(entry);
  }

  /** Tells of a command that was to be sent again, and now is not. */
  private lose(entry: Partial<Entry>): void {
    if (!entry.again || entry.state === 'done') return;
    entry.again = false;
    const { n, event, data } = entry as Entry;
    this.tell({ commands: [{ n, event, data }], forgotten: [], resubmitted: false });
  }

  private tell(rollback: Omit<Rollback, 'room'>): void {
    this.link.rollbacks.emit({ room: this.attendance.name, ...rollback });
  }

  private transmit(entry: Entry): void {
    const { lastEpoch: epoch, acked: ack } = this;
    const { name: room } = this.attendance;
    const { n, event, data, answer } = entry;
    entry.inFlight = true;
    entry.attempts++;
    answer.sent();
    this.link.ask({ event, room, data, n, ack, epoch }, (reply, isRepeated) => {
      entry.inFlight = false;
      entry.uncertain ||= !reply || isRepeated;
      if (reply) this.onReply(entry, reply);
      else if (!this.attendance.isWanted) this.abandon(lostError());
      this.attendance.sync();
    });
  }

  private onReply(entry: Entry, reply: Reply): void {
    // An answer to a number that was opened again meanwhile belongs to its life before.
    if (this.numbered.get(entry.n) !== entry || entry.state !== 'open') return;
    const { error, seq, epoch } = reply;
    if (epoch !== undefined) this.lastEpoch = epoch;
    if (seq !== undefined || !error || error.code === 'number_reused') return this.answered(entry, reply);
    if (error.code === 'session_expired') return this.link.wire.startAnew();
    const { isWanted } = this.attendance;
    const isUnknown = error.code === 'unknown_outcome';
    entry.uncertain ||= isUnknown;
    if (error.code === 'out_of_order' && isWanted) return this.outOfOrder(error.details?.[0]?.expected);
    if (error.retry && isWanted && !(entry.answer.settled && !entry.again && !isUnknown)) {
      return this.later(retryDelay(entry.attempts, error));
    }
    this.refuse(entry, error);
  }

  /** The answer is not recorded, so its number is still free: it is used again, or given up for those behind it. */
  private refuse(entry: Entry, error: ErrorBody): void {
    entry.answer.fail(entry.uncertain && error.code !== 'unknown_outcome' ? lostError() : fromBody(error));
    this.giveUp(entry);
    this.reclaim();
    if (entry.event === SKIP) this.later(retryDelay(entry.attempts, error));
    else this.pump();
  }

  /** Numbers at the end that are surely not recorded are used again. */
  private reclaim(): void {
    for (;;) {
      const { event, state, uncertain, inFlight } = this.numbered.get(this.highest) ?? {};
      if (event !== SKIP || state !== 'open' || uncertain || inFlight) return;
      this.numbered.delete(this.highest--);
    }
  }

  private answered(entry: Entry, reply: Reply): void {
    entry.state = reply.error ? 'failed' : 'done';
    const { seq, epoch } = reply;
    entry.seq = seq;
    entry.epoch = epoch;
    while ((this.numbered.get(this.acked + 1)?.state ?? 'open') !== 'open') this.acked++;
    this.forget();
    entry.answer.fulfil(reply);
    this.lose(entry);
    this.pump();
  }

  /** Bounds the memory of commands that the server may still lose; older losses are reported by number only. */
  private forget(): void {
    let length = 0;
    for (let n = this.acked; n > 0; n--) {
      length += this.numbered.get(n)?.length ?? 0;
      if (n > this.acked - KEPT && length <= KEPT_CHARACTERS) continue;
      if (!this.numbered.delete(n)) return;
    }
  }

  private outOfOrder(expected: number | undefined): void {
    if (expected! <= this.acked) this.survived(expected! - 1);
    else this.later(ORDER_MS);
  }

  /** Sends nothing for so long; a longer wait is not shortened. */
  private later(ms: number): void {
    const until = now() + ms;
    if (this.timer.isSet && until < this.notBefore) return;
    this.notBefore = until;
    this.timer.schedule(ms, () => this.pump());
  }
}

function isCommand({ event, state }: Entry): boolean {
  return state === 'open' && event !== SKIP;
}
