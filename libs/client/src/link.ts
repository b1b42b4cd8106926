import { now } from './clock.js';
import { Connection, type ConnectionOptions } from './connection.js';
import { Emitter } from './emitter.js';
import { fromBody, WssError } from './errors.js';
import type { Rollback } from './lane.js';
import { dataOf, enqueue, lostError, Pending, type Reply, type Snapshot, snapshot } from './requests.js';
import type { CommandOptions } from './types.js';

/** Settings of a {@link WssClient}. */
export interface WssClientOptions extends ConnectionOptions {
  /** Treatment of numbered commands that took effect and were lost by the server's storage. Default `resubmit`. */
  readonly onRollback?: 'resubmit' | 'report';
  /** Most commands that may wait to be sent; more are refused as `queue_full`. Default 1,000. */
  readonly maxQueued?: number;
}

/**
 * Listener to events that concern more than one request.
 * @internal
 */
export interface LinkListener {
  opened(): void;
  disconnected(): void;
  ended(error: WssError): void;
  /** A frame that answers no request. */
  arrived(frame: Record<string, unknown>): void;
}

/** @internal */
interface Request {
  readonly frame: object;
  readonly answer: Pending<unknown>;
}

/** @internal */
interface Sent {
  readonly frame: object;
  readonly done: (reply?: Reply, isRepeated?: boolean) => void;
  /** When it was last sent, on the steady clock. */
  at: number;
  /** How long it is waited for before it is sent again, ms. */
  waitMs: number;
  /** Set for a request that must not be sent again; it is waited for as long as somebody wants the answer. */
  readonly answer?: Pending;
}

/** Until the server tells. */
const MAX_FRAME_BYTES = 65_536;
/** The server answers everything sooner; a request without an answer for so long is sent again, ms. */
const UNANSWERED_MS = 20_000;

/**
 * Requests and their replies on one connection after another.
 * @internal
 */
export class Link {
  readonly wire: Connection;
  readonly errors = new Emitter<WssError>();
  readonly rollbacks = new Emitter<Rollback>();
  /** Number of commands that wait to be sent. */
  unsent = 0;
  maxFrame = MAX_FRAME_BYTES;
  /** Set when the client has ended. */
  over?: WssError;

  private nextId = 1;
  private readonly sent = new Map<unknown, Sent>();
  private waiting: Request[] = [];

  constructor(
    url: string,
    readonly settings: WssClientOptions,
    private readonly told: LinkListener,
  ) {
    this.wire = new Connection(url, settings, this);
  }

  /**
   * Sends a frame that does no harm when it is sent again. `done` gets its reply, or nothing when the connection is
   * lost first, and whether it was sent again.
   */
  ask(frame: object, done: Sent['done']): void {
    this.put({ frame, done, at: now(), waitMs: UNANSWERED_MS });
  }

  /** Sends a frame, now or when there is a connection; it is not sent again when its answer is lost. */
  request(frame: object, options: CommandOptions): Pending<unknown> {
    const answer = new Pending<unknown>(options, this);
    if (this.over) answer.fail(this.over);
    else if (this.wire.isOpen) this.transmit({ frame, answer });
    else this.waiting = enqueue(this.waiting, { frame, answer }, this);
    return answer;
  }

  /**
   * Takes a copy of a command's data.
   * @throws WssError when it can't be sent, or too many commands wait
   */
  admit(data: unknown): Snapshot {
    if (this.over) throw this.over;
    if (this.unsent >= (this.settings.maxQueued ?? 1_000)) {
      throw new WssError('queue_full', 'too many', true);
    }
    return snapshot(data, this.maxFrame);
  }

  opened(): void {
    this.told.opened();
    for (const request of this.waiting.splice(0)) this.transmit(request);
  }

  take(frame: Record<string, unknown>): void {
    const { id } = frame;
    if (id === undefined) return this.told.arrived(frame);
    const sent = this.sent.get(id);
    this.sent.delete(id);
    sent?.done(frame, sent.waitMs > UNANSWERED_MS);
  }

  beat(): void {
    const at = now();
    this.ask({ event: '$ping' }, (reply) => reply && this.askAgain(at));
  }

  /** Under the same id: on a slow link, the answer to the first may still be on its way, and the first one counts. */
  private askAgain(at: number): void {
    for (const [id, sent] of this.sent) {
      if (sent.answer?.settled) this.sent.delete(id);
      if (sent.answer || at - sent.at < sent.waitMs) continue;
      sent.at = now();
      sent.waitMs *= 2;
      this.wire.write({ ...sent.frame, id });
    }
  }

  disconnected(): void {
    const all = [...this.sent.values()];
    this.sent.clear();
    for (const { done } of all) done();
    this.told.disconnected();
  }

  ended(error: WssError): void {
    this.over = error;
    this.disconnected();
    for (const { answer } of this.waiting.splice(0)) answer.fail(error);
    this.told.ended(error);
    if (error.code !== 'closed') this.errors.emit(error);
  }

  private put(sent: Sent): void {
    const id = this.nextId++;
    this.sent.set(id, sent);
    this.wire.write({ ...sent.frame, id });
  }

  private transmit({ frame, answer }: Request): void {
    if (answer.settled) return;
    answer.sent();
    const done = (reply: Reply | undefined): void => {
      if (!reply) answer.fail(lostError());
      else if (reply.error) answer.fail(fromBody(reply.error));
      else answer.fulfil(dataOf(reply));
    };
    this.put({ frame, done, at: answer.sentAt, waitMs: 0, answer });
  }
}
