import type { Duplex } from 'node:stream';
import { Logger } from '@nestjs/common';
import { type Client, type ClientSession, CommandOrder } from '@wss/core';
import {
  type ClientFrame,
  CLOSE_CODES,
  type CloseCode,
  type FrameError,
  kindOf,
  LogGate,
  stackOf,
} from '@wss/protocol';
import { type RawData, WebSocket } from 'ws';
import type { Flusher } from './flusher.js';
import { IDENTITY_LEEWAY_MS, MAX_COMMAND_BYTES, MAX_COMMANDS } from '../ports/limits.js';
import type { NativeHandlers } from './native-handlers.js';
import { OutboundQueue, type QueueObserver } from './outbound-queue.js';
import type { RoomState } from './room-state.js';
import { textFrame } from './text-frame.js';

const faults = new LogGate((line) => new Logger('Connections').error(line));

/** Everything that a socket needs to become a client. */
export interface ClientInit {
  readonly id: string;
  readonly user: string;
  /** When its identity ends, ms since 1970; absent: never. */
  readonly expiresAt?: number;
  /** The stream under the WebSocket. */
  readonly stream: Duplex;
  readonly flusher: Flusher;
  readonly context: PathContext;
}

/** A frame that waits to be read, and when it came, ms on this process' steady clock. */
interface HeldFrame {
  readonly data: Buffer;
  readonly isBinary: boolean;
  readonly arrivedAt: number;
}

/** Takes frames that were read to their handlers; neither method throws. */
export interface FrameRouter {
  /** @param bytes size of the frame */
  dispatch(client: ClientSocket, frame: ClientFrame, bytes: number): void;
  /** Answers a frame that could not be read. */
  refuse(client: ClientSocket, error: FrameError): void;
}

/** Learns what becomes of sockets. */
export interface SocketOwner {
  /** The client reads too slowly. */
  overflowed(client: ClientSocket): void;
  /** The client has read what it was sent. */
  drained(client: ClientSocket): void;
  /** Cleans up behind a closed socket. */
  end(client: ClientSocket, code: number): void;
}

/** State that the sockets of one path have in common. */
export interface PathContext {
  /** Reads a message and takes it to its handler. */
  readonly reader: {
    read(client: ClientSocket, data: RawData, isBinary: boolean, router: FrameRouter | undefined): void;
  };
  readonly connections: SocketOwner;
  /** Disconnect hooks under way; the close of the server waits for them. */
  readonly cleanUps: Set<Promise<unknown>>;
  /** Set where the path is served by the router. */
  readonly router?: FrameRouter;
}

/**
 * One connected client: the WebSocket itself, for native gateways, and the {@link Client} of handlers.
 *
 * All text goes through one queue, so that frames of one turn leave together and in order. It holds no closure
 * per handler: an idle client costs the same whatever the application can do.
 */
export class ClientSocket extends WebSocket implements Client, QueueObserver {
  declare id: string;
  declare user: string;
  /** It gave a sign of life since it was last asked for one. */
  declare alive: boolean;
  /** When in the period it is asked for a sign of life; the heartbeats assign it. */
  declare heartbeatSlot?: number;
  /** When its identity ends unless it is refreshed, ms on this process' steady clock; 0: never. */
  declare expiresAt: number;
  /** Absent without the subprotocol. */
  declare session?: ClientSession;
  /** Handlers of native gateways; absent where there are none. */
  declare native?: NativeHandlers;
  /** State that it shares with the other sockets of its path. */
  declare pathContext: PathContext;
  /** Rooms that it is a member of, and those that it is about to join. */
  declare places: number;
  /** Rooms that it is behind in; the rooms count them. */
  declare lags: number;
  /** Commands under way, those included that wait for a join or leave. */
  declare inFlight: number;
  /** Called when no command is under way any more. */
  declare whenIdle?: () => void;
  /** How many of its commands only another node can carry out. */
  declare sentElsewhere?: number;
  /** The code that this node closed it with; the client may never read it. */
  declare closedWith?: number;
  /** Callbacks of native gateways for its close. */
  declare closeCallbacks?: ((code: number) => void)[];

  /** When the frame that is being read came, if it had to wait; ms on this process' steady clock. */
  declare arrivedAt?: number;

  /** Connection hooks under way. */
  declare private hooks: number;
  /** Commands that are not answered yet, and the bytes of their frames. */
  declare private load: number;
  declare private loadBytes: number;
  /** Frames that came before a connection hook was done, or while too much was under way. */
  declare private held?: HeldFrame[];
  declare private readingSoon?: boolean;
  /** A connection hook failed. */
  declare private dropping?: boolean;
  declare private outbound?: OutboundQueue;
  declare private roomStates?: Map<string, RoomState>;

  /** Makes an accepted socket a client. */
  begin({ id, user, expiresAt, stream, flusher, context }: ClientInit): void {
    this.pathContext = context;
    this.alive = true;
    this.inFlight = 0;
    this.places = 0;
    this.lags = 0;
    this.hooks = 0;
    this.load = 0;
    this.loadBytes = 0;
    this.identityEndsAt(expiresAt);
    this.id = id;
    this.user = user;
    this.outbound = new OutboundQueue(stream, flusher, this);
  }

  /**
   * Takes the end that a token names. It is judged once: from here on only the steady clock counts, so that a clock
   * that is set ends nobody's connection.
   * @param expiresAt ms since 1970; absent: never
   */
  identityEndsAt(expiresAt: number | undefined): void {
    this.expiresAt =
      expiresAt === undefined ? 0 : performance.now() + expiresAt - Date.now() + IDENTITY_LEEWAY_MS;
  }

  /** Lets frames wait until this is done. */
  holdUntil(done: Promise<unknown>): void {
    this.hooks++;
    void done.then(() => {
      this.hooks--;
      this.readHeld();
    });
  }

  /** A command of so many bytes is under way. */
  took(bytes: number): void {
    this.load++;
    this.loadBytes += bytes;
  }

  /** A command of so many bytes is answered: what was kept back may be read. */
  gaveBack(bytes: number): void {
    this.load--;
    this.loadBytes -= bytes;
    if (!this.held || this.readingSoon) return;
    this.readingSoon = true;
    // Not within the end of a command: the next ones would be begun from there, and so on.
    setImmediate(() => {
      this.readingSoon = false;
      this.readHeld();
    });
  }

  /** It is not read from because too much is under way, and can give no sign of life. */
  get throttled(): boolean {
    return this.held !== undefined && this.hooks === 0;
  }

  /** Drops what was kept back and all that comes. */
  dropFrames(): void {
    this.dropping = true;
  }

  /**
   * Keeps a frame back while a connection hook or too much else is under way; returns whether the frame is dealt with.
   * From the first of them on nothing more is read: what is kept is what `ws` has at hand, the rest stays with the client.
   */
  hold(data: Buffer, isBinary: boolean): boolean {
    if (this.dropping) return true;
    if (!this.held) {
      if (!this.mustWait) return false;
      this.held = [];
      this.pause();
    }
    this.held.push({ data, isBinary, arrivedAt: performance.now() });
    return true;
  }

  private get mustWait(): boolean {
    return this.hooks > 0 || this.load >= MAX_COMMANDS || this.loadBytes >= MAX_COMMAND_BYTES;
  }

  /** Part of {@link QueueObserver}. */
  overflowed(): void {
    this.pathContext.connections.overflowed(this);
  }

  /** Part of {@link QueueObserver}. */
  drained(): void {
    this.pathContext.connections.drained(this);
  }

  /** Part of {@link QueueObserver}. */
  failed(error: unknown): void {
    faults.report(
      kindOf(error),
      `frames of client ${this.id} can't be written, so it is cut: ${stackOf(error)}`,
    );
    this.terminate();
  }

  /** Calls {@link drained} once what is queued now has been written. */
  whenDrained(): void {
    this.outbound?.notifyWhenWritten();
  }

  /** Since when the client has not read what it was sent, ms on this process' steady clock; 0 while it does. */
  get blockedSince(): number {
    return this.outbound?.blockedSince ?? 0;
  }

  /** Queues text that may overtake what rooms send. */
  reply(text: string): void {
    if (this.readyState === WebSocket.OPEN) this.outbound?.pushUrgent(textFrame(text));
  }

  /** The queue for what keeps its place; absent when the socket is not open any more. */
  get queue(): OutboundQueue | undefined {
    return this.readyState === WebSocket.OPEN ? this.outbound : undefined;
  }

  /** Closes with a code of the table and its reason; what was queued goes out first. */
  closeWith(code: CloseCode): void {
    this.close(code, CLOSE_CODES[code].reason);
  }

  override close(code?: number, reason?: string | Buffer): void {
    // Not `flush`: that may find the client too slow and close it, and so on without end.
    this.queue?.writeAll();
    if (code !== undefined && this.readyState === WebSocket.OPEN) this.closedWith = code;
    super.close(code, reason);
    // Frames that were kept back are dropped, and the answer to the close frame is read.
    if (this.throttled) this.readHeld();
  }

  /** Native gateways send here; plain text joins the replies, everything else goes out after them. */
  override send(...args: unknown[]): void {
    const [data, ...rest] = args;
    const content = typeof data === 'string' ? withoutEcho(data) : data;
    if (typeof content === 'string' && rest.length === 0 && this.queue && this.extensions === '') {
      this.queue.pushUrgent(textFrame(content));
      return;
    }
    this.queue?.flush();
    this.queue?.writeAll();
    (super.send as (...all: unknown[]) => void)(content, ...rest);
  }

  /** Reads what was kept back, in order, as far as it may be under way. */
  private readHeld(): void {
    const { held } = this;
    if (!held) return;
    let next = 0;
    while (next < held.length && !this.mustWait && this.takesFrames) {
      const { data, isBinary, arrivedAt } = held[next++]!;
      this.arrivedAt = arrivedAt;
      this.pathContext.reader.read(this, data, isBinary, this.pathContext.router);
    }
    delete this.arrivedAt;
    held.splice(0, next);
    if (held.length > 0 && this.takesFrames) return;
    delete this.held;
    // Also of one that is closing, or its answer to the close frame would not be read; who is let go is read from no more.
    if (!this.whenIdle || !this.takesFrames) this.resume();
  }

  private get takesFrames(): boolean {
    return !this.dropping && this.readyState === WebSocket.OPEN;
  }

  /** State of a room that the client is in or has commands under way in. */
  roomState(room: string): RoomState | undefined {
    return this.roomStates?.get(room);
  }

  /** Keeps the state of a room until {@link freeRoom} is called as often; call it for names of rooms only. */
  useRoom(room: string): RoomState {
    const states = (this.roomStates ??= new Map<string, RoomState>());
    let state = states.get(room);
    if (!state)
      states.set(room, (state = { joined: false, order: new CommandOrder(), uses: 0, changing: false }));
    state.uses++;
    return state;
  }

  /** Whoever used a room's state does not need it any more. */
  freeRoom(room: string): void {
    const state = this.roomStates!.get(room)!;
    if (--state.uses === 0) this.roomStates!.delete(room);
  }

  /** States of the rooms that the client is in or has commands under way in. */
  roomsInUse(): RoomState[] {
    return [...(this.roomStates?.values() ?? [])];
  }

  /** Rooms that the client has joined. */
  joinedRooms(): string[] {
    return [...(this.roomStates ?? [])].flatMap(([room, { joined }]) => (joined ? [room] : []));
  }
}

/**
 * Nest's exception frames echo the client's own data as `cause.data`; whatever a client sends stays out of what
 * it gets.
 */
function withoutEcho(text: string): string {
  if (!text.startsWith('{"event":"exception"')) return text;
  let frame: { data?: { cause?: { data?: unknown } } };
  try {
    frame = JSON.parse(text) as typeof frame;
  } catch {
    return text;
  }
  if (typeof frame.data?.cause !== 'object' || frame.data.cause === null) return text;
  delete frame.data.cause.data;
  return JSON.stringify(frame);
}
