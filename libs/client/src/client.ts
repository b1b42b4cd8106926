import type { ErrorBody } from '@wss/protocol';
import type { Status } from './connection.js';
import { Emitter, emitterOf, type Unsubscribe } from './emitter.js';
import { fromBody, type WssError } from './errors.js';
import type { Rollback } from './lane.js';
import { Link, type WssClientOptions } from './link.js';
import { Room } from './room.js';
import type { AnyContract, CommandOptions, Contract, DataOf, NameOf, ReplyOf, RoomOf } from './types.js';

/** Who the server says we are. */
export interface Hello {
  readonly session: string;
  readonly resumed: boolean;
  readonly client: string;
  readonly user: string;
}

interface HelloFrame extends Hello {
  readonly token: string;
  readonly heartbeatMs: number;
  readonly maxFrameBytes: number;
}

/**
 * A client of a wss server: it stays connected, goes on with its session on any node, and sends numbered commands
 * until they are answered.
 */
export class WssClient<C extends Contract = AnyContract> {
  private readonly link: Link;
  private readonly known = new Map<string, Room>();
  private readonly byEvent = new Map<string, Emitter<never>>();
  private readonly hellos = new Emitter<Hello>();
  private readonly degradations = new Emitter<boolean>();
  private sessionId?: string;
  private isDegraded = false;

  /** Connects at once, and again whenever the connection is lost, until it is closed. */
  constructor(url: string, options: WssClientOptions = {}) {
    this.link = new Link(url, options, {
      opened: () => this.eachRoom((room) => room.opened()),
      disconnected: () => this.eachRoom(({ lane }) => lane.disconnected()),
      ended: (error) => this.onEnd(error),
      arrived: (frame) => this.onEvent(frame),
      queuedInRooms: () => [...this.known.values()].reduce((sum, { lane }) => sum + lane.queued, 0),
    });
  }

  /** What the connection is doing. */
  get status(): Status {
    return this.link.connection.current;
  }

  /** Calls back whenever the status changes. */
  onStatus(listener: (status: Status) => void): Unsubscribe {
    return this.link.connection.changes.on(listener);
  }

  /** The status from now on; ends with the client. */
  statuses(signal?: AbortSignal): AsyncGenerator<Status, void, void> {
    return this.link.connection.changes.iterate(signal);
  }

  /** Calls back when the server has greeted us; with a session only. */
  onHello(listener: (hello: Hello) => void): Unsubscribe {
    return this.hellos.on(listener);
  }

  /** Calls back when commands that took effect were lost by the server's storage. */
  onRollback(listener: (rollback: Rollback) => void): Unsubscribe {
    return this.link.rollbacks.on(listener);
  }

  /** Calls back with errors that belong to no command. */
  onError(listener: (error: WssError) => void): Unsubscribe {
    return this.link.errors.on(listener);
  }

  /** Whether the server said that it can't reach its data: commands may fail, what is shown may be old. */
  get degraded(): boolean {
    return this.isDegraded;
  }

  /** Calls back when {@link degraded} changes. */
  onDegraded(listener: (degraded: boolean) => void): Unsubscribe {
    return this.degradations.on(listener);
  }

  /** Calls back for events outside of rooms. */
  on<E extends NameOf<C['events']>>(event: E, listener: (data: C['events'][E]) => void): Unsubscribe {
    return emitterOf<C['events'][E]>(this.byEvent, event).on(listener);
  }

  /** Data of an event outside of rooms, from now on; ends with the client. */
  events<E extends NameOf<C['events']>>(
    event: E,
    signal?: AbortSignal,
  ): AsyncGenerator<C['events'][E], void, void> {
    return emitterOf<C['events'][E]>(this.byEvent, event).iterate(signal);
  }

  /**
   * Fetches a new token and shows it on the open connection, so that it outlives the old token. Not needed: when a
   * token ends, the client connects anew with one from the callback and goes on where it was.
   * @returns when the new token ends, ms since 1970; `null` for never
   * @throws WssError
   */
  async refreshToken(): Promise<number | null> {
    const data = { token: await this.link.connection.fetchToken() };
    return ((await this.link.request({ event: '$auth', data })) as { expiresAt: number | null }).expiresAt;
  }

  /**
   * Sends a command without a room. It is not numbered: when the connection is lost before the answer, its outcome is
   * unknown and it fails as `disconnected`.
   * @throws WssError
   */
  async command<E extends NameOf<C['commands']>>(
    event: E,
    data: DataOf<C['commands'], E>,
    options?: CommandOptions,
  ): Promise<ReplyOf<C['commands'], E>> {
    const frame = { event, data: this.link.admit(data).data };
    return (await this.link.request(frame, options)) as ReplyOf<C['commands'], E>;
  }

  /** Sends an event without asking for an answer, e.g. to a plain Nest gateway. Lost while there is no connection. */
  send(event: string, data: unknown): void {
    if (this.link.isOpen) this.link.connection.send({ event, data });
  }

  /** A room; the same object for the same name. */
  room<Type extends NameOf<C['rooms']>>(name: `${Type}:${string}`): Room<RoomOf<C, Type>> {
    let room = this.known.get(name);
    if (!room) this.known.set(name, (room = new Room(name, this.link)));
    return room as unknown as Room<RoomOf<C, Type>>;
  }

  /** Ends the connection; what was not answered fails as `closed`. */
  close(): void {
    this.link.connection.finish();
  }

  private eachRoom(work: (room: Room) => void): void {
    for (const room of this.known.values()) work(room);
  }

  private onEnd(error: WssError): void {
    this.eachRoom((room) => room.ended(error));
    for (const emitter of this.byEvent.values()) emitter.end();
  }

  private onEvent(frame: Record<string, unknown>): void {
    const { event, room, data } = frame;
    if (typeof event !== 'string') throw new TypeError();
    if (typeof room === 'string') this.known.get(room)?.frame(frame as never);
    else if (event === '$hello') this.onHelloFrame(data as HelloFrame);
    else if (event === '$notice') this.onNotice(data as { reconnectInMs?: number; degraded?: boolean });
    else if (event === 'error' && this.link.isGreeted) this.link.errors.emit(fromBody(data as ErrorBody));
    else this.byEvent.get(event)?.emit(data as never);
  }

  private onHelloFrame({ token, heartbeatMs, maxFrameBytes, ...hello }: HelloFrame): void {
    const { link, sessionId } = this;
    this.sessionId = hello.session;
    if (sessionId !== undefined && sessionId !== hello.session) this.eachRoom(({ lane }) => lane.expire());
    link.isGreeted = true;
    link.maxFrame = maxFrameBytes;
    link.connection.greeted(token, heartbeatMs);
    this.onNotice({ degraded: false });
    this.hellos.emit(hello);
    this.eachRoom(({ lane }) => lane.pump());
  }

  private onNotice({ reconnectInMs, degraded }: { reconnectInMs?: number; degraded?: boolean }): void {
    if (reconnectInMs !== undefined) this.link.connection.waits.advise(reconnectInMs);
    if (degraded === undefined || degraded === this.isDegraded) return;
    this.isDegraded = degraded;
    this.degradations.emit(degraded);
  }
}
