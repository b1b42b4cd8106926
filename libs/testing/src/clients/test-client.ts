import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { WebSocket, type ClientOptions } from 'ws';
import { entered } from '../lifetimes.js';
import { patience } from '../waiting/patience.js';
import { FrameQueue, type FrameFilter } from './frame-queue.js';
import { CommandFailed, parseServerFrame, UpgradeRefused, type ServerFrame } from './server-frame.js';

/** How a {@link TestClient} connects. */
export interface TestClientOptions {
  /** Adds `?user=…`, the name of the user where the server's `auth` is `'none'`; default none. */
  readonly user?: string;
  /** Headers of the upgrade, e.g. `{ authorization: 'Bearer …' }`; default none. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Asks for a session, takes its greeting (see {@link TestClient.hello}), and resumes it at
   * {@link TestClient.reconnect}; default false.
   */
  readonly session?: boolean;
  /** Further subprotocols to offer; default none. */
  readonly protocols?: readonly string[];
  /** Further options of `ws`, e.g. `{ autoPong: false }`. */
  readonly ws?: ClientOptions;
}

/** The rest of a request's envelope. */
export interface RequestOptions {
  readonly room?: string;
  readonly n?: number;
  readonly ack?: number;
  readonly epoch?: string;
  /** How long to wait for the reply, milliseconds; default {@link setPatience}'s, 4,000. */
  readonly withinMs?: number;
}

/** How a connection ended; 1006 when the server sent no close frame. */
export interface ConnectionClosed {
  readonly code: number;
  readonly reason: string;
}

/** Data of `$presence` from the server. */
export interface PresenceAnnouncement {
  /** Grows by one from announcement to announcement. */
  readonly version: number;
  readonly joined: readonly { readonly user: string; readonly meta?: object }[];
  readonly left: readonly string[];
}

/** Data of `$hello`, the greeting of a session. */
export interface Greeting {
  readonly session: string;
  readonly token: string;
  /** True if the session goes on. */
  readonly resumed: boolean;
  /** Rooms that the session is still in. */
  readonly rooms: readonly string[];
  readonly client: string;
  readonly user: string;
}

/**
 * A room that hears its frames.
 * @internal
 */
export interface AttachedRoom {
  readonly name: string;
  hear(frame: ServerFrame): void;
  /** Joins again on a new connection. */
  join(): Promise<void>;
}

/** How long the other side may take to answer a close, ms. */
const CLOSE_WITHIN_MS = 5_000;
const SESSION_PROTOCOL = 'wss.v1';

/**
 * A WebSocket client for tests. It queues every frame, so that none is missed between two awaits. Each wait is
 * bounded, fails at once when the connection ends, and its error has the frames that were received instead.
 */
export class TestClient {
  /**
   * Announcements of presence (`$presence`), in order; the array grows. They come at times of their own, so they are
   * not among the other frames.
   */
  readonly presence: ServerFrame<PresenceAnnouncement>[] = [];
  private readonly queue = new FrameQueue();
  private readonly rooms = new Set<AttachedRoom>();
  private requests = 0;
  private connection!: OpenConnection;
  private greeting?: Greeting;

  private constructor(
    private address: string,
    private readonly options: TestClientOptions,
  ) {}

  /**
   * Connects and waits until the connection is open, with a session until it has been greeted.
   * @param url e.g. `ws://127.0.0.1:3000/live`; `http` and `https` stand for `ws` and `wss`
   * @throws UpgradeRefused when the server answers with an HTTP response; the socket's Error when there is no answer
   */
  static async connect(url: string, options: TestClientOptions = {}): Promise<TestClient> {
    const client = new TestClient(url, options);
    await client.open();
    return client;
  }

  /** Where it is connected, without the user. */
  get url(): string {
    return this.address;
  }

  /** The name that it was connected with, if any. */
  get user(): string | undefined {
    return this.options.user;
  }

  /** The socket, for uses beyond this class, e.g. pings or a paused reader. */
  get socket(): WebSocket {
    return this.connection.socket;
  }

  /** Resolves when the connection has ended; never rejects. */
  get closed(): Promise<ConnectionClosed> {
    return this.connection.closed;
  }

  /**
   * The greeting of the session, the latest one.
   * @throws Error when it was connected without `session`
   */
  get hello(): Greeting {
    if (!this.greeting) throw new Error('this client has no session: connect it with session: true');
    return this.greeting;
  }

  /** All frames received so far but for {@link presence}, taken or not, in order. */
  get frames(): readonly ServerFrame[] {
    return this.queue.all;
  }

  /**
   * Takes the first matching frame that was not taken yet, or waits for one. Replies to {@link request} are not among
   * them, unless they come too late or twice.
   *
   * @param matches default: any frame
   * @param withinMs milliseconds; default {@link setPatience}'s, 4,000
   * @throws Error with the received frames when the time is over or the connection ends first
   */
  next(matches: FrameFilter = () => true, withinMs = patience()): Promise<ServerFrame> {
    return this.take('a matching frame', matches, withinMs);
  }

  /**
   * Takes the first event of that name that was not taken yet, or waits for it. Throws like {@link next}.
   * @param withinMs milliseconds; default {@link setPatience}'s, 4,000
   */
  event<Data = unknown>(name: string, withinMs = patience()): Promise<ServerFrame<Data>> {
    const event = this.take(`the event ${name}`, (frame) => frame.event === name, withinMs);
    return event as Promise<ServerFrame<Data>>;
  }

  /**
   * Waits for a marker, takes it and all frames before it, and returns the latter: every other frame was sent after
   * the marker. To prove that something does not arrive from another node, send a marker the same way, through the
   * same room.
   */
  until(marker: FrameFilter, withinMs = patience()): Promise<ServerFrame[]> {
    return this.queue.takeBefore({ what: 'the marker', matches: marker, withinMs });
  }

  /**
   * Sends a `$ping` and takes all frames before its reply. Proves that the node has nothing more for this client at
   * that time; frames may still be on their way from other nodes, or be overtaken by replies (see {@link until}).
   */
  async drain(withinMs = patience()): Promise<ServerFrame[]> {
    return this.ask('$ping', {}, { withinMs }, () => this.queue.takeAll());
  }

  /**
   * Sends an event with an id of our own (`r1`, `r2`, …) and waits for its reply, which may be an error.
   * @throws Error when no reply comes in time or the connection ends first
   */
  request<Data = unknown>(
    event: string,
    data?: unknown,
    options: RequestOptions = {},
  ): Promise<ServerFrame<Data>> {
    return this.ask(event, data, options, (reply) => reply as ServerFrame<Data>);
  }

  /**
   * Like {@link request}, for replies that must be a success: resolves with their data.
   * @throws CommandFailed when the reply is an error
   */
  async command<Data = unknown>(event: string, data?: unknown, options: RequestOptions = {}): Promise<Data> {
    const reply = await this.request<Data>(event, data, options);
    if (reply.error) throw new CommandFailed(event, reply.error, reply);
    return reply.data as Data;
  }

  /**
   * Sends `$join` as it is and resolves with its reply's data; `data` may hold the position. For a room whose events
   * and documents are watched see `TestRoom.join`. Throws like {@link command}.
   */
  join<Data = unknown>(room: string, data: object = {}): Promise<Data> {
    return this.command('$join', data, { room });
  }

  /** Sends a frame as it is; a reply to an id of yours comes through {@link next}. Throws when the connection is not open. */
  send(frame: object): void {
    this.sendRaw(JSON.stringify(frame));
  }

  /** Sends a text frame (string) or a binary one (Buffer). Throws when the connection is not open. */
  sendRaw(payload: string | Buffer): void {
    if (this.socket.readyState !== WebSocket.OPEN) throw new Error('the connection is not open');
    this.socket.send(payload);
  }

  /**
   * Connects again, as a client does that lost its connection: an open one is dropped without a close frame. The
   * session is resumed if there is one, and each `TestRoom` of this client goes on after the last event that it saw.
   * @param url the same cluster's node; default where it was
   * @throws like {@link connect}; CommandFailed when a room can't be joined any more
   */
  async reconnect(url = this.address): Promise<void> {
    await this.terminate();
    this.address = url;
    this.queue.reopen();
    await this.open();
    await Promise.all([...this.rooms].map((room) => room.join()));
  }

  /** Closes the connection in order, or by force after 5 s without an answer. */
  async close(code = 1000, reason = ''): Promise<ConnectionClosed> {
    const timer = setTimeout(() => this.socket.terminate(), CLOSE_WITHIN_MS);
    this.socket.close(code, reason);
    const closed = await this.closed;
    clearTimeout(timer);
    return closed;
  }

  /** Drops the connection without a close frame, as a client does that crashed. */
  async terminate(): Promise<ConnectionClosed> {
    this.socket.terminate();
    return this.closed;
  }

  /**
   * Another client of the same user, without a session.
   * @internal
   */
  another(url: string): Promise<TestClient> {
    return TestClient.connect(url, { ...this.options, session: false });
  }

  /** @internal */
  attach(room: AttachedRoom): void {
    this.rooms.add(room);
  }

  /** @internal */
  detach(room: AttachedRoom): void {
    this.rooms.delete(room);
  }

  /**
   * Like {@link next}, with a name for the error.
   * @internal
   */
  take(what: string, matches: FrameFilter, withinMs: number): Promise<ServerFrame> {
    return this.queue.take({ what, matches, withinMs });
  }

  /**
   * Sends a request; the result is made in the moment in which the reply comes.
   * @internal
   */
  ask<T>(
    event: string,
    data: unknown,
    { withinMs = patience(), ...envelope }: RequestOptions,
    result: (reply: ServerFrame) => T,
  ): Promise<T> {
    const id = `r${++this.requests}`;
    const payload = JSON.stringify({ event, data, id, ...envelope });
    const what = `the reply to ${event} (${id})`;
    const matches = (frame: ServerFrame) => frame.id === id;
    const reply = this.queue.next({ what, matches, result, withinMs }, 'before others');
    if (this.socket.readyState === WebSocket.OPEN) this.sendRaw(payload);
    return reply;
  }

  private async open(): Promise<void> {
    const { protocols = [], headers, user, session, ws } = this.options;
    const address = new URL(this.address);
    if (user !== undefined) address.searchParams.set('user', user);
    const offered = [...protocols, ...(session ? this.sessionProtocols() : [])];
    const handshake = { handshakeTimeout: patience(), ...ws, headers: { ...ws?.headers, ...headers } };
    this.connection = this.listenTo(new WebSocket(address, offered, handshake));
    const greeting = session ? this.greeted() : undefined;
    greeting?.catch(() => undefined);
    await opened(this.socket);
    await greeting;
  }

  private sessionProtocols(): string[] {
    return [SESSION_PROTOCOL, ...(this.greeting ? [`wss.resume.${this.greeting.token}`] : [])];
  }

  private greeted(): Promise<void> {
    const matches = ({ event }: ServerFrame): boolean => event === '$hello';
    const result = ({ data }: ServerFrame): void => void (this.greeting = data as Greeting);
    return this.queue.next({ what: 'the greeting', matches, result, withinMs: patience() }, 'before others');
  }

  private listenTo(socket: WebSocket): OpenConnection {
    socket.on('message', (bytes: Buffer, isBinary) => this.hear(parseServerFrame(bytes, isBinary)));
    socket.on('error', (error) => this.queue.end(`the connection failed with ${error.message}`));
    const released = entered(`TestClient of ${this.address}`, () => socket.terminate());
    const closed = new Promise<ConnectionClosed>((resolve) => {
      socket.once('close', (code, reason) => {
        released();
        this.queue.end(`the connection was closed with ${code} ${String(reason)}`);
        resolve({ code, reason: String(reason) });
      });
    });
    return { socket, closed };
  }

  private hear(frame: ServerFrame): void {
    for (const room of this.rooms) if (frame.room === room.name) room.hear(frame);
    if (frame.event === '$presence') this.presence.push(frame as ServerFrame<PresenceAnnouncement>);
    else this.queue.push(frame);
  }
}

interface OpenConnection {
  readonly socket: WebSocket;
  readonly closed: Promise<ConnectionClosed>;
}

async function opened(socket: WebSocket): Promise<void> {
  const refused = new Promise<never>((_resolve, reject) => {
    socket.once('unexpected-response', (_request: unknown, response: IncomingMessage) => {
      const { statusCode = 0, headers } = response;
      text(response)
        .then((body) => reject(new UpgradeRefused(statusCode, headers, body)), reject)
        .finally(() => socket.terminate());
    });
  });
  await Promise.race([once(socket, 'open'), refused]);
}
