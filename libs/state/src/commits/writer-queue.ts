import type { Position } from '@wss/protocol';
import { epochNumber } from '../store/log-format.js';
import type { Committed, Judged } from '../store/room-store.js';
import { decodeWriterCall, type WriterCall } from '../store/writer-call.js';

/** How long a node waits to be called before it goes ahead all the same, ms: a call may get lost. */
const PATIENCE_MS = 50;
/** How long a node listens for calls after its last lost conflict, ms. */
const LISTEN_MS = 10_000;

/** The part of the channels between nodes that calls need. */
export interface CallChannels {
  subscribe(channel: string, listener: (message: string) => void): Promise<void>;
  unsubscribe(channel: string, listener: (message: string) => void): void;
}

/** A node's place in the queue of one room. */
export interface QueuePlace {
  readonly channels: CallChannels;
  /** Channel on which it is called. */
  readonly channel: string;
  /** Gives the place up: the node was called and has nothing to write. */
  leave(): void;
}

/**
 * Decides when a node may write a room that other nodes write too.
 *
 * Every commit leaves the other nodes with old documents, so attempts that they make meanwhile are useless. Hence the
 * engine keeps a queue of the nodes that lost: each commit calls the next one, with the documents that it wrote, and
 * moves its own node to the end. The queue only saves work; correctness never depends on it. Only documents decide
 * what is written. A node that is not called goes ahead after 50 ms, and a node that is not in the queue may write,
 * too.
 */
export class WriterQueue {
  private hearing: 'no' | 'soon' | 'yes' = 'no';
  private quiet: NodeJS.Timeout | undefined;
  private lostAt = 0;
  private resting = true;
  /** True if this node is the one to write now. */
  private called = false;
  /** True if others are to write first. */
  private waiting = false;
  /** True if its call did not come the last time. */
  private impatient = false;
  /** A call that came before the node waited for it. */
  private early: WriterCall | undefined;
  private wake: ((call: WriterCall) => void) | undefined;

  constructor(private readonly place?: QueuePlace) {}

  /** True if this node hears its calls; only then may it be in the queue. */
  get hears(): boolean {
    return this.hearing === 'yes';
  }

  /** True if others are to write first. */
  get waits(): boolean {
    return this.waiting;
  }

  /** Notes that works wait to be written. */
  begin(): void {
    this.resting = false;
  }

  /** Resolves to the call of this node, or to undefined if none comes. */
  async call(): Promise<WriterCall | undefined> {
    const call = this.early ?? (await this.nextCall());
    this.early = undefined;
    this.waiting = false;
    this.called = call !== undefined;
    this.impatient = call === undefined;
    return call;
  }

  /** Notes a lost conflict. The refusal brought the present documents. */
  lost({ position, ahead }: Judged): void {
    this.lostAt = performance.now();
    if (ahead === undefined) return this.listen();
    this.called = ahead === 0;
    this.waiting = ahead > 0 && !this.impatient;
    this.forgetCallsBefore(position, ahead === 0);
  }

  /** Notes a commit; if the node was in the queue and others wait, it is at the end now. */
  won({ position, ahead }: Committed, inQueue: boolean): void {
    this.called = false;
    this.impatient = false;
    this.waiting = ahead > 0 && inQueue;
    this.forgetCallsBefore({ ...position, seq: position.seq + 1 }, ahead === 0);
  }

  /** Notes that nothing is left to write: a call that has come goes to the next node. */
  rest(): void {
    this.resting = true;
    if (this.called || this.early) this.leave();
  }

  /** Stops listening. */
  close(): void {
    clearTimeout(this.quiet);
    if (this.hearing !== 'no') this.place?.channels.unsubscribe(this.place.channel, this.hear);
    this.hearing = 'no';
    this.waiting = false;
  }

  private nextCall(): Promise<WriterCall | undefined> {
    return new Promise((resolve) => {
      const done = (call?: WriterCall): void => {
        clearTimeout(timer);
        this.wake = undefined;
        resolve(call);
      };
      const timer = setTimeout(done, PATIENCE_MS);
      this.wake = done;
    });
  }

  /** A call may overtake the answer before it, so a call that came meanwhile counts if it is newer than the answer. */
  private forgetCallsBefore({ epoch, seq }: Position, all: boolean): void {
    const early = this.early?.position;
    if (!early) return;
    const age = epochNumber(early.epoch) - epochNumber(epoch) || early.seq - seq;
    if (all || age < 0) this.early = undefined;
  }

  private readonly hear = (message: string): void => {
    const call = decodeWriterCall(message);
    if (this.wake) this.wake(call);
    else if (this.resting) this.leave();
    else this.early = call;
  };

  private leave(): void {
    this.called = false;
    this.waiting = false;
    this.early = undefined;
    this.place?.leave();
  }

  private listen(): void {
    if (!this.place || this.hearing !== 'no') return;
    const { channels, channel } = this.place;
    this.hearing = 'soon';
    channels.subscribe(channel, this.hear).then(
      () => {
        if (this.hearing === 'soon') this.hearing = 'yes';
      },
      () => (this.hearing = 'no'),
    );
    this.closeWhenQuiet(LISTEN_MS);
  }

  private closeWhenQuiet(afterMs: number): void {
    this.quiet = setTimeout(() => {
      const rest = this.lostAt + LISTEN_MS - performance.now();
      if (rest > 0) this.closeWhenQuiet(rest);
      else this.close();
    }, afterMs).unref();
  }
}
