import type { ErrorBody } from '@wss/protocol';
import { now } from './time/clock.js';
import type { Status } from './connection/connection.js';
import { Changing, emplace, Emitter, type Unsubscribe } from './values/emitter.js';
import { fromBody, type WssError } from './values/errors.js';
import { Link, type WssClientOptions } from './connection/link.js';
import { snapshot } from './connection/requests.js';
import { Room } from './rooms/room.js';
import type {
  AnyContract,
  CommandOptions,
  Contract,
  DataOf,
  NameOf,
  ReplyOf,
  Rollback,
  RoomOf,
} from './values/types.js';

/** The server's greeting: the session, the client and the user that we are. */
export interface Hello {
  readonly session: string;
  readonly resumed: boolean;
  readonly client: string;
  readonly user: string;
}

interface HelloFrame extends Hello {
  readonly token: string;
  readonly rooms: readonly string[];
  readonly heartbeatMs: number;
  readonly maxFrameBytes: number;
}

/**
 * A client of a wss server: it stays connected, goes on with its session on any node, and sends numbered commands
 * until they are answered.
 */
export class WssClient<C extends Contract = AnyContract> {
  private readonly link: Link;
  /** A room is the same object for as long as anybody has it. */
  private readonly known = new Map<string, WeakRef<Room>>();
  /** Rooms in which something is wanted, under way, or listened to. */
  private readonly used = new Set<Room>();
  private readonly collected = new FinalizationRegistry<string>((name) => {
    if (!this.existing(name)) this.known.delete(name);
  });
  private readonly byEvent = new Map<string, Emitter<never>>();
  private readonly hellos = new Emitter<Hello>();
  private readonly degradation = new Changing<boolean>(false);
  private sessionId?: string;

  /** Connects at once, and again whenever the connection is lost, until it is closed. */
  constructor(url: string, options: WssClientOptions = {}) {
    this.link = new Link(url, options, this);
  }

  /** The present state of the connection. */
  get status(): Status {
    return this.link.wire.progress.current;
  }

  /** Calls back whenever the status changes. */
  onStatus(listener: (status: Status) => void): Unsubscribe {
    return this.link.wire.progress.listen(listener);
  }

  /** The status from now on; ends with the client. */
  statuses(signal?: AbortSignal): AsyncGenerator<Status, void, void> {
    return this.link.wire.progress.iterate(this.link.wire.progress, signal);
  }

  /** Calls back when the server has greeted us; with a session only. */
  onHello(listener: (hello: Hello) => void): Unsubscribe {
    return this.hellos.listen(listener);
  }

  /** Calls back when commands that took effect were lost by the server's storage. */
  onRollback(listener: (rollback: Rollback) => void): Unsubscribe {
    return this.link.rollbacks.listen(listener);
  }

  /** Calls back with errors that belong to no command. */
  onError(listener: (error: WssError) => void): Unsubscribe {
    return this.link.errors.listen(listener);
  }

  /** True while the server says that it can't reach its data: commands may fail, and shown data may be old. */
  get degraded(): boolean {
    return this.degradation.current;
  }

  /** Calls back when {@link degraded} changes. */
  onDegraded(listener: (degraded: boolean) => void): Unsubscribe {
    return this.degradation.listen(listener);
  }

  /** Calls back for events outside of rooms. */
  on<E extends NameOf<C['events']>>(event: E, listener: (data: C['events'][E]) => void): Unsubscribe {
    return this.emitterOf<C['events'][E]>(event).listen(listener);
  }

  /** Data of an event outside of rooms, from now on; ends with the client. */
  events<E extends NameOf<C['events']>>(
    event: E,
    signal?: AbortSignal,
  ): AsyncGenerator<C['events'][E], void, void> {
    return this.emitterOf<C['events'][E]>(event).iterate(this.link.wire.progress, signal);
  }

  /**
   * Fetches a new token and shows it on the open connection, so that it outlives the old token. Not needed: when a
   * token ends, the client connects anew with one from the callback and goes on where it was.
   * @returns when the new token ends, ms since 1970; `null` for never
   * @throws WssError
   */
  refreshToken(): Promise<number | null> {
    return this.link.handOut(this.showToken());
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
    return this.link.handOut(this.link.command({ event }, data, options)) as Promise<
      ReplyOf<C['commands'], E>
    >;
  }

  /**
   * Sends an event without asking for an answer, e.g. to a plain Nest gateway. It is lost while there is no
   * connection; data that can't be sent is reported to {@link onError}.
   */
  send(event: string, data: unknown): void {
    try {
      if (this.link.wire.isOpen) this.link.write({ event, data: snapshot(data, Infinity).data });
    } catch (error) {
      this.link.errors.emit(error as WssError);
    }
  }

  /**
   * Asks the server for a sign of life; waits for a connection, if there is none.
   * @returns how long the answer took, ms
   * @throws WssError
   */
  ping(options: CommandOptions = {}): Promise<number> {
    const answer = this.link.request({ event: '$ping', data: {} }, options);
    return this.link.handOut(answer.promise.then(() => now() - answer.sentAt));
  }

  /** A room; the same object for the same name, for as long as anybody has it. */
  room<Type extends NameOf<C['rooms']>>(name: `${Type}:${string}`): Room<RoomOf<C, Type>> {
    let room = this.existing(name);
    if (!room) {
      room = new Room(name, this.link, (changed) => this.onUse(changed));
      this.known.set(name, new WeakRef(room));
      this.collected.register(room, name);
    }
    return room as unknown as Room<RoomOf<C, Type>>;
  }

  /** The rooms that are joined or wanted, each with its `status`. */
  get rooms(): readonly Room[] {
    return [...this.used].filter(({ attendance }) => attendance.isWanted);
  }

  /**
   * Ends the client at once and for good: everything that waits fails as `closed`, commands that were sent and not
   * answered as `disconnected`, for they may have been done; iterators end. Failures that this brings about need not be
   * caught.
   */
  close(): void {
    this.link.wire.finish();
  }

  private existing(name: string): Room | undefined {
    return this.known.get(name)?.deref();
  }

  private onUse(room: Room): void {
    if (room.isInUse) this.used.add(room);
    else this.used.delete(room);
  }

  private emitterOf<T>(event: string): Emitter<T> {
    const emitter: unknown = emplace(this.byEvent, event, () => new Emitter());
    return emitter as Emitter<T>;
  }

  private eachRoom(work: (room: Room) => void): void {
    for (const kept of [...this.known.values()]) {
      const room = kept.deref();
      if (room) work(room);
    }
  }

  private async showToken(): Promise<number | null> {
    const data = { token: await this.link.wire.fetchToken() };
    const { promise } = this.link.request({ event: '$auth', data }, {});
    return ((await promise) as { expiresAt: number | null }).expiresAt;
  }

  /** @internal */
  opened(): void {
    this.eachRoom(({ attendance }) => attendance.sync());
  }

  /** @internal */
  disconnected(): void {
    this.eachRoom(({ attendance }) => attendance.disconnected());
  }

  /** @internal */
  ended(error: WssError): void {
    this.eachRoom((room) => room.ended(error));
  }

  /** @internal */
  arrived(frame: Record<string, unknown>): void {
    const { event, room, data } = frame;
    if (typeof event !== 'string') throw new TypeError();
    if (typeof room === 'string') this.existing(room)?.frame(frame as never);
    else if (event === '$hello') this.onHelloFrame(data as HelloFrame);
    else if (event === '$notice') this.onNotice(data as { reconnectInMs?: number; degraded?: boolean });
    else if (event === 'error' && this.link.wire.hasSession)
      this.link.errors.emit(fromBody(data as ErrorBody));
    else this.byEvent.get(event)?.emit(data as never);
  }

  private onHelloFrame({ token, rooms, heartbeatMs, maxFrameBytes, ...hello }: HelloFrame): void {
    const { link, sessionId } = this;
    if (!(hello.session && token && heartbeatMs > 0)) throw new TypeError();
    this.sessionId = hello.session;
    if (sessionId && sessionId !== hello.session) {
      this.eachRoom(({ lane }) => lane.expire());
    }
    link.maxFrame = maxFrameBytes;
    link.wire.greeted(token, heartbeatMs);
    this.onNotice({ degraded: false });
    this.hellos.emit(hello);
    // Rooms that were left without a connection, so that the server does not know yet.
    for (const name of rooms ?? []) {
      const { attendance } = this.room(name as never);
      attendance.mayBeIn = true;
      attendance.sync();
    }
  }

  private onNotice({ reconnectInMs, degraded }: { reconnectInMs?: number; degraded?: boolean }): void {
    this.link.wire.waits.advise(reconnectInMs);
    if (degraded === !this.degraded) this.degradation.become(degraded);
  }
}
