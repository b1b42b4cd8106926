import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { WebSocket, type ClientOptions } from 'ws';
import { FrameQueue, type FrameFilter } from './frame-queue.js';
import { PATIENCE_MS } from '../waiting/deadline.js';
import { CommandFailed, parseServerFrame, UpgradeRefused, type ServerFrame } from './server-frame.js';

/** How a {@link TestClient} connects. */
export interface TestClientOptions {
  /** Subprotocols to offer, e.g. `['wss.v1']`; default none. */
  readonly protocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Adds `?user=…`, the name in development. */
  readonly user?: string;
  /** Further options of `ws`, e.g. `{ autoPong: false }`. */
  readonly ws?: ClientOptions;
}

/** The rest of a request's envelope. */
export interface RequestOptions {
  readonly room?: string;
  readonly n?: number;
  readonly ack?: number;
  readonly epoch?: string;
  /** How long to wait for the reply, milliseconds; default 20,000. */
  readonly withinMs?: number;
}

/** How a connection ended; 1006 when the server sent no close frame. */
export interface ConnectionClosed {
  readonly code: number;
  readonly reason: string;
}

/** Data of `$presence` from the server. */
export interface PresenceAnnouncement {
  readonly version: number;
  readonly joined: readonly { readonly user: string; readonly meta?: object }[];
  readonly left: readonly string[];
}

/** How long the other side may take to answer a close, ms. */
const CLOSE_WITHIN_MS = 5_000;

/**
 * A WebSocket client for tests. It queues every frame, so that none is missed between two awaits. Each wait is
 * bounded, fails at once when the connection ends, and its error has the frames that were received instead.
 */
export class TestClient {
  /** Resolves when the connection has ended; never rejects. */
  readonly closed: Promise<ConnectionClosed>;
  /**
   * Announcements of presence (`$presence`), in order; the array grows. They come at times of their own, so they are
   * not among the other frames.
   */
  readonly presence: ServerFrame<PresenceAnnouncement>[] = [];
  private readonly queue = new FrameQueue();
  private requests = 0;

  private constructor(
    /** The socket, for uses beyond this class, e.g. pings or a paused reader. */
    readonly socket: WebSocket,
  ) {
    socket.on('message', (bytes: Buffer, isBinary) => this.take(parseServerFrame(bytes, isBinary)));
    socket.on('error', (error) => this.queue.end(`the connection failed with ${error.message}`));
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        this.queue.end(`the connection was closed with ${code} ${String(reason)}`);
        resolve({ code, reason: String(reason) });
      });
    });
  }

  /**
   * Connects and waits until the connection is open.
   * @throws UpgradeRefused when the server answers with an HTTP response; the socket's Error when there is no answer
   */
  static async connect(url: string, options: TestClientOptions = {}): Promise<TestClient> {
    const { protocols = [], headers, user, ws } = options;
    const address = new URL(url);
    if (user !== undefined) address.searchParams.set('user', user);
    const handshake = { handshakeTimeout: PATIENCE_MS, ...ws, headers: { ...ws?.headers, ...headers } };
    const client = new TestClient(new WebSocket(address, [...protocols], handshake));
    await opened(client.socket);
    return client;
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
   * @param withinMs milliseconds; default 20,000
   */
  next(matches: FrameFilter = () => true, withinMs = PATIENCE_MS): Promise<ServerFrame> {
    return this.queue.take({ what: 'a matching frame', matches, withinMs });
  }

  /** Takes the first event of that name, or waits for it; `withinMs` milliseconds, default 20,000. */
  event(name: string, withinMs = PATIENCE_MS): Promise<ServerFrame> {
    return this.queue.take({ what: `the event ${name}`, matches: (frame) => frame.event === name, withinMs });
  }

  /**
   * Waits for a marker, takes it and all frames before it, and returns the latter: every other frame was sent after
   * the marker. To prove that something does not arrive from another node, send a marker the same way, through the
   * same room.
   */
  until(marker: FrameFilter, withinMs = PATIENCE_MS): Promise<ServerFrame[]> {
    return this.queue.takeBefore({ what: 'the marker', matches: marker, withinMs });
  }

  /**
   * Sends a `$ping` and takes all frames before its reply. Proves that the node has nothing more for this client at
   * that time; frames may still be on their way from other nodes, or be overtaken by replies (see {@link until}).
   */
  async drain(withinMs = PATIENCE_MS): Promise<ServerFrame[]> {
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

  /** Joins a room; `data` may hold the position. Throws like {@link command}. */
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

  private take(frame: ServerFrame): void {
    if (frame.event === '$presence') this.presence.push(frame as ServerFrame<PresenceAnnouncement>);
    else this.queue.push(frame);
  }

  private ask<T>(
    event: string,
    data: unknown,
    { withinMs = PATIENCE_MS, ...envelope }: RequestOptions,
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
