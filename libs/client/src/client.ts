import { Connection, type ConnectionOptions, type Status } from './connection.js';
import { Emitter, type Unsubscribe } from './emitter.js';
import { WssError } from './errors.js';
import { dataOf, Lane, type Rollback } from './lane.js';
import { Pending, type Reply, Requests } from './requests.js';
import { Room } from './room.js';
import type { AnyContract, CommandOptions, Contract, DataOf, NameOf, ReplyOf, RoomOf } from './types.js';

/** Settings of a {@link WssClient}. */
export interface WssClientOptions extends ConnectionOptions {
  /** What happens to numbered commands that took effect and were lost by the server's storage. Default `resubmit`. */
  readonly onRollback?: 'resubmit' | 'report';
  /** Most commands that may wait for a connection; more are refused. Default 1,000. */
  readonly maxQueued?: number;
}

/** Who the server says we are. */
export interface Hello {
  readonly session: string;
  readonly resumed: boolean;
  readonly client: string;
  readonly user: string;
}

interface Waiting {
  readonly frame: object;
  readonly pending: Pending<unknown>;
}

/**
 * A client of a wss server: it stays connected, goes on with its session on any node, and sends numbered commands
 * until they are answered.
 */
export class WssClient<C extends Contract = AnyContract> {
  private readonly connection: Connection;
  private readonly requests = new Requests();
  private readonly rooms = new Map<string, { room: Room; lane: Lane }>();
  private readonly byEvent = new Map<string, Emitter<never>>();
  private readonly rollbacks = new Emitter<Rollback>();
  private readonly errors = new Emitter<WssError>();
  private readonly hellos = new Emitter<Hello>();
  private waiting: Waiting[] = [];
  private session?: string;
  private greeted = false;
  private ended?: WssError;

  constructor(
    url: string,
    private readonly options: WssClientOptions = {},
  ) {
    this.connection = new Connection(url, options, {
      opened: () => this.onOpen(),
      frame: (frame) => this.onFrame(frame),
      lost: () => this.onLost(),
      ended: (error) => this.onEnd(error),
    });
  }

  /** What the connection is doing. */
  get status(): Status {
    return this.connection.status;
  }

  /** Calls back whenever the status changes. */
  onStatus(listener: (status: Status) => void): Unsubscribe {
    return this.connection.statuses.on(listener);
  }

  /** The status from now on. */
  statuses(signal?: AbortSignal): AsyncGenerator<Status, void, void> {
    return this.connection.statuses.iterate(signal);
  }

  /** Calls back when the server has greeted us; with a session only. */
  onHello(listener: (hello: Hello) => void): Unsubscribe {
    return this.hellos.on(listener);
  }

  /** Calls back when commands that took effect were lost by the server's storage. */
  onRollback(listener: (rollback: Rollback) => void): Unsubscribe {
    return this.rollbacks.on(listener);
  }

  /** Calls back with errors that belong to no command. */
  onError(listener: (error: WssError) => void): Unsubscribe {
    return this.errors.on(listener);
  }

  /** Calls back for events outside of rooms. */
  on<E extends NameOf<C['events']>>(event: E, listener: (data: C['events'][E]) => void): Unsubscribe {
    let emitter = this.byEvent.get(event);
    if (!emitter) this.byEvent.set(event, (emitter = new Emitter()));
    return (emitter as unknown as Emitter<C['events'][E]>).on(listener);
  }

  /**
   * Sends a command without a room. It is not numbered: when the connection is lost before the answer, its outcome is
   * unknown and it fails as `disconnected`.
   * @throws WssError
   */
  command<E extends NameOf<C['commands']>>(
    event: E,
    data: DataOf<C['commands'], E>,
    options: CommandOptions = {},
  ): Promise<ReplyOf<C['commands'], E>> {
    return this.request({ event, data }, options) as Promise<ReplyOf<C['commands'], E>>;
  }

  /** Sends an event without asking for an answer, e.g. to a plain Nest gateway. Lost while there is no connection. */
  send(event: string, data: unknown): void {
    if (this.connection.isOpen) this.connection.send({ event, data });
  }

  /** A room; the same object for the same name. */
  room<Type extends NameOf<C['rooms']>>(name: `${Type}:${string}`): Room<RoomOf<C, Type>> {
    let known = this.rooms.get(name);
    if (!known) this.rooms.set(name, (known = this.newRoom(name)));
    return known.room as unknown as Room<RoomOf<C, Type>>;
  }

  /** Ends the connection; what was not answered fails as `closed`. */
  close(): void {
    this.connection.close();
  }

  private newRoom(name: string): { room: Room; lane: Lane } {
    const request = (frame: object, done: (reply: Reply | undefined) => void): void => {
      this.connection.send({ ...frame, room: name, id: this.requests.add(done) });
    };
    const lane = new Lane({
      room: name,
      canSend: () => this.connection.isOpen && this.greeted,
      request,
      resubmits: this.options.onRollback !== 'report',
      onRollback: (rollback) => this.rollbacks.emit(rollback),
    });
    const room = new Room({
      name,
      lane,
      numbered: this.options.session !== false,
      isOpen: () => this.connection.isOpen,
      request,
      command: (event, data, options) => this.request({ event, data, room: name }, options),
      failed: (error) => this.errors.emit(error),
      ensureSpace: () => this.ensureSpace(),
    });
    return { room, lane };
  }

  private async request(frame: object, options: CommandOptions): Promise<unknown> {
    const { isOpen } = this.connection;
    if (!isOpen) this.ensureSpace();
    const pending = new Pending<unknown>(options);
    if (isOpen) this.transmit({ frame, pending });
    else this.waiting.push({ frame, pending });
    return pending.promise;
  }

  private ensureSpace(): void {
    if (this.ended) throw this.ended;
    const queued = [...this.rooms.values()].reduce((sum, { lane }) => sum + lane.queued, this.waiting.length);
    if (queued < (this.options.maxQueued ?? 1_000)) return;
    throw new WssError(
      'queue_full',
      'too many commands wait for a connection; try again when it is open',
      true,
    );
  }

  private transmit({ frame, pending }: Waiting): void {
    if (pending.settled) return;
    const id = this.requests.add((reply) => {
      if (!reply)
        return pending.reject(new WssError('disconnected', 'the connection was lost before the answer'));
      try {
        pending.resolve(dataOf(reply));
      } catch (error) {
        pending.reject(error);
      }
    });
    this.connection.send({ ...frame, id });
  }

  private onOpen(): void {
    for (const { room } of this.rooms.values()) room.opened();
    const waiting = this.waiting;
    this.waiting = [];
    for (const each of waiting) this.transmit(each);
  }

  private onLost(): void {
    this.greeted = false;
    this.requests.lost();
    for (const { lane } of this.rooms.values()) lane.lost();
  }

  private onEnd(error: WssError): void {
    this.ended = error;
    this.requests.lost();
    for (const { pending } of this.waiting.splice(0)) pending.reject(error);
    for (const { lane, room } of this.rooms.values()) {
      lane.end(error);
      room.end(error);
    }
    if (error.code !== 'closed') this.errors.emit(error);
  }

  private onFrame(frame: Record<string, unknown>): void {
    const { id, event, room, data } = frame;
    if (id !== undefined) return this.requests.answer(id, frame as Reply);
    if (typeof room === 'string') return this.rooms.get(room)?.room.frame(frame as never);
    if (event === '$hello') return this.onHelloFrame(data as Hello & { token: string });
    if (event === '$notice') return this.onNotice(data as { reconnectInMs?: number });
    if (event === 'error') return this.onErrorFrame(data as { code: WssError['code']; message: string });
    if (typeof event === 'string') this.byEvent.get(event)?.emit(data as never);
  }

  private onHelloFrame({ token, ...hello }: Hello & { token: string }): void {
    const { session } = hello;
    if (this.session !== undefined && this.session !== session) {
      for (const { lane } of this.rooms.values()) lane.expire();
    }
    this.session = session;
    this.connection.resumeToken = token;
    this.greeted = true;
    this.connection.greeted();
    this.hellos.emit(hello);
    for (const { lane } of this.rooms.values()) lane.pump();
  }

  private onNotice(notice: { reconnectInMs?: number }): void {
    if (notice.reconnectInMs !== undefined) this.connection.advise(notice.reconnectInMs);
    this.byEvent.get('$notice')?.emit(notice as never);
  }

  private onErrorFrame({ code, message }: { code: WssError['code']; message: string }): void {
    this.errors.emit(new WssError(code, message));
  }
}
