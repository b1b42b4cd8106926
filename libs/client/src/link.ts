import { Connection, type ConnectionOptions } from './connection.js';
import { Emitter } from './emitter.js';
import { fromBody, WssError } from './errors.js';
import type { Rollback } from './lane.js';
import { dataOf, Pending, type Reply, type Snapshot, snapshot } from './requests.js';
import type { CommandOptions } from './types.js';

/** Settings of a {@link WssClient}. */
export interface WssClientOptions extends ConnectionOptions {
  /** What happens to numbered commands that took effect and were lost by the server's storage. Default `resubmit`. */
  readonly onRollback?: 'resubmit' | 'report';
  /** Most commands that may wait to be sent; more are refused as `queue_full`. Default 1,000. */
  readonly maxQueued?: number;
}

/**
 * Told of what concerns more than one request.
 * @internal
 */
export interface LinkListener {
  opened(): void;
  disconnected(): void;
  ended(error: WssError): void;
  /** A frame that answers no request. */
  arrived(frame: Record<string, unknown>): void;
  /** Numbered commands that wait to be sent. */
  queuedInRooms(): number;
}

/** @internal */
interface Request {
  readonly frame: object;
  readonly answer: Pending<unknown>;
}

/** Until the server tells. */
const MAX_FRAME_BYTES = 65_536;

/**
 * Requests and their replies on one connection after another.
 * @internal
 */
export class Link {
  readonly connection: Connection;
  readonly errors = new Emitter<WssError>();
  readonly rollbacks = new Emitter<Rollback>();
  /** Whether the server has greeted us on this connection; before that, no numbered command may go out. */
  isGreeted = false;
  maxFrame = MAX_FRAME_BYTES;

  private nextId = 1;
  private readonly sent = new Map<unknown, (reply: Reply | undefined) => void>();
  private unsent: Request[] = [];
  private over?: WssError;

  constructor(
    url: string,
    readonly settings: WssClientOptions,
    private readonly told: LinkListener,
  ) {
    this.connection = new Connection(url, settings, this);
  }

  get isOpen(): boolean {
    return this.connection.isOpen;
  }

  /** Whether the server is asked to keep a session for us. */
  get hasSession(): boolean {
    return this.settings.session !== false;
  }

  /** Sends a frame; `done` gets its reply, or nothing when the connection is lost first. */
  ask(frame: object, done: (reply: Reply | undefined) => void): void {
    const id = this.nextId++;
    this.sent.set(id, done);
    this.connection.send({ ...frame, id });
  }

  /** Sends a frame, now or when there is a connection; it is not sent again when its answer is lost. */
  async request(frame: object, options: CommandOptions = {}): Promise<unknown> {
    if (this.over) throw this.over;
    const answer = new Pending<unknown>(options);
    if (this.isOpen) this.transmit({ frame, answer });
    else this.unsent.push({ frame, answer });
    return answer.promise;
  }

  /**
   * Takes a copy of a command's data.
   * @throws WssError when it can't be sent, or too many commands wait
   */
  admit(data: unknown): Snapshot {
    if (this.over) throw this.over;
    this.unsent = this.unsent.filter(({ answer }) => !answer.settled);
    if (this.unsent.length + this.told.queuedInRooms() >= (this.settings.maxQueued ?? 1_000)) {
      throw new WssError('queue_full', 'too many commands wait: send fewer at once', true);
    }
    return snapshot(data, this.maxFrame);
  }

  opened(): void {
    this.told.opened();
    for (const request of this.unsent.splice(0)) this.transmit(request);
  }

  frame(frame: Record<string, unknown>): void {
    const { id } = frame;
    if (id === undefined) return this.told.arrived(frame);
    const done = this.sent.get(id);
    this.sent.delete(id);
    done?.(frame);
  }

  disconnected(): void {
    this.isGreeted = false;
    const dones = [...this.sent.values()];
    this.sent.clear();
    for (const done of dones) done(undefined);
    this.told.disconnected();
  }

  ended(error: WssError): void {
    this.over = error;
    this.disconnected();
    for (const { answer } of this.unsent.splice(0)) answer.reject(error);
    this.told.ended(error);
    if (error.code !== 'closed') this.errors.emit(error);
  }

  private transmit({ frame, answer }: Request): void {
    if (answer.settled) return;
    this.ask(frame, (reply) => {
      if (!reply) answer.reject(new WssError('disconnected', 'the connection was lost before the answer'));
      else if (reply.error) answer.reject(fromBody(reply.error));
      else answer.resolve(dataOf(reply));
    });
  }
}
