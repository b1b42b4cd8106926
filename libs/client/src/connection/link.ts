import { now } from '../time/clock.js';
import { Connection, type ConnectionOptions } from './connection.js';
import { Emitter } from '../values/emitter.js';
import { fromBody, WssError } from '../values/errors.js';
import {
  checkSize,
  dataOf,
  lostError,
  Pending,
  Queue,
  type Reply,
  type Snapshot,
  snapshot,
} from './requests.js';
import type { CommandOptions, Rollback } from '../values/types.js';

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
  readonly answer: Pending;
}

/** @internal */
interface Sent {
  readonly frame: object;
  readonly done: (reply?: Reply, isRepeated?: boolean) => void;
  /** When it was last sent, on the steady clock. */
  at: number;
  /** How long it is waited for before it is sent again, ms. */
  waitMs: number;
  /** Set for a request that must not be sent again; it waits as long as the caller wants the answer. */
  readonly answer?: Pending;
}

/** Until the server gives its own. */
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
  private nextId = 1;
  private readonly sent = new Map<unknown, Sent>();
  private readonly waiting = new Queue<Request>(this);

  constructor(
    url: string,
    readonly settings: WssClientOptions,
    private readonly told: LinkListener,
  ) {
    this.wire = new Connection(url, settings, this);
  }

  /** The reason for which the client has ended, if it has. */
  get over(): WssError | undefined {
    return this.wire.end.reason as WssError | undefined;
  }

  /**
   * Sends a frame that may safely be sent again. `done` gets its reply, or undefined if the connection is lost first,
   * and if it was sent again.
   */
  ask(frame: object, done: Sent['done']): void {
    this.put({ frame, done, at: now(), waitMs: UNANSWERED_MS });
  }

  /** Sends a frame, now or when there is a connection; it is not sent again when its answer is lost. */
  request(frame: object, options: CommandOptions): Pending<unknown> {
    const answer = new Pending<unknown>(options, this);
    if (this.over) answer.fail(this.over);
    else if (this.wire.isReady) this.transmit({ frame, answer });
    else this.waiting.add({ frame, answer });
    return answer;
  }

  /**
   * Takes a copy of a command's data.
   * @throws WssError when it can't be sent, or too many commands wait
   */
  admit(data: unknown): Snapshot {
    // Reading it may call the application, which may do anything.
    const copy = snapshot(data, this.maxFrame);
    this.wire.end.throwIfAborted();
    if (this.unsent >= (this.settings.maxQueued ?? 1_000)) {
      throw new WssError('queue_full', 'full', true);
    }
    return copy;
  }

  /**
   * Sends a command without a number.
   * @throws WssError
   */
  async command(frame: object, data: unknown, options: CommandOptions): Promise<unknown> {
    return this.request({ ...frame, data: this.admit(data).data }, options).promise;
  }

  /**
   * Writes a frame.
   * @throws WssError `too_large`
   */
  write(frame: object): void {
    const text = JSON.stringify(frame);
    checkSize(text, this.maxFrame);
    this.wire.write(text);
  }

  /** A promise for the application. It need not be caught when it fails because the application left or closed. */
  handOut<T>(work: Promise<T>): Promise<T> {
    const handed = work.then();
    work.catch((error?: WssError) => {
      if (this.over || error?.code === 'closed') handed.catch(() => undefined);
    });
    return handed;
  }

  opened(): void {
    this.told.opened();
    for (let request; (request = this.waiting.take());) this.transmit(request);
  }

  /** A plain gateway may send any frame; a wss server keeps to the protocol. */
  take(text: string): void {
    try {
      this.handle(JSON.parse(text) as Record<string, unknown>);
    } catch {
      const error = new WssError('bad_server_frame', 'bad frame');
      if (this.wire.hasSession) this.wire.finish(error);
      else this.errors.emit(error);
    }
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
      this.write({ ...sent.frame, id });
    }
  }

  disconnected(): void {
    const all = [...this.sent.values()];
    this.sent.clear();
    this.told.disconnected();
    for (const { done } of all) done();
  }

  ended(error: WssError): void {
    this.disconnected();
    this.waiting.fail(error);
    this.told.ended(error);
    if (error.code !== 'closed') this.errors.emit(error);
  }

  private handle(frame: Record<string, unknown>): void {
    if (this.sent.has(frame['id'])) this.answered(frame['id'], frame);
    else if (frame['id'] === undefined || !this.wire.hasSession) this.told.arrived(frame);
  }

  private answered(id: unknown, reply: Reply): void {
    const sent = this.sent.get(id);
    this.sent.delete(id);
    sent?.done(reply, sent.waitMs > UNANSWERED_MS);
  }

  private put(sent: Sent): void {
    const id = this.nextId++;
    this.sent.set(id, sent);
    try {
      this.write({ ...sent.frame, id });
    } catch (error) {
      queueMicrotask(() => this.answered(id, { error: error as WssError } as Reply));
    }
  }

  private transmit({ frame, answer }: Request): void {
    answer.sent();
    const done = (reply: Reply | undefined): void => {
      if (!reply) answer.fail(lostError());
      else if (reply.error) answer.fail(fromBody(reply.error));
      else answer.fulfil(dataOf(reply));
    };
    this.put({ frame, done, at: answer.sentAt, waitMs: 0, answer });
  }
}
