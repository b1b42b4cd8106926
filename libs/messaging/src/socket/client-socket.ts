import type { Duplex } from 'node:stream';
import { type Client, type ClientSession, CommandOrder, NO_CLAIMS } from '@wss/core';
import {
  type ClientFrame,
  CLOSE_CODES,
  type CloseCode,
  type FrameError,
  kindOf,
  settledMeanwhile,
  stackOf,
} from '@wss/protocol';
import { type RawData, WebSocket } from 'ws';
import { type AttachedClaims, withAttached } from '../ports/claims.js';
import { type GatewayClient, type GatewayPath, reportFault } from './connection-failure.js';
import type { Flusher } from './flusher.js';
import {
  HELD_FRAME_BYTES,
  IDENTITY_LEEWAY_MS,
  MAX_COMMAND_BYTES,
  MAX_COMMANDS,
  MAX_HELD_BYTES,
  MAX_HOOK_MS,
} from '../ports/limits.js';
import { frameBytes, type HeldFrame } from './frame-size.js';
import { Inbound } from '../reading/inbound.js';
import { WAITING_AT_ONCE } from '../reading/reading-turns.js';
import type { ReadingShares } from '../reading/reading-shares.js';
import type { NativeHandlers } from './native-handlers.js';
import { OutboundQueue, type QueueObserver } from './outbound-queue.js';
import type { RoomState } from './room-state.js';
import { CLIENT, RoutedSocket, type SocketSender } from './routed-socket.js';
import { pongFrame, textFrame } from './text-frame.js';
import { withoutEcho } from './without-echo.js';

/** Everything that a socket needs to become a client. */
export interface ClientInit {
  readonly socket: RoutedSocket;
  readonly id: string;
  readonly user: string;
  /** When its identity ends, ms since 1970; absent: never. */
  readonly expiresAt?: number;
  /** When its identity was proven, ms since 1970; absent: unknown. */
  readonly issuedAt?: number;
  /** Generation of its user when it came. Default 0. */
  readonly generation?: number;
  /** Those that its admission proved. */
  readonly claims?: Client['claims'];
  /** Those that connect guards attached; they stay when the identity is renewed. */
  readonly attached?: AttachedClaims;
  /** The stream under the WebSocket. */
  readonly stream: Duplex;
  readonly flusher: Flusher;
  readonly shares: ReadingShares;
  readonly context: PathContext;
}

/** The parts of an identity that a renewal replaces. */
export type ClientIdentity = Pick<ClientInit, 'expiresAt' | 'issuedAt' | 'claims' | 'attached'>;

/** Takes parsed frames to their handlers; neither method throws. */
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

/** State that the sockets of one path that the router serves have in common. */
export interface PathContext extends GatewayPath {
  /** Reads a message and takes it to its handler. */
  readonly reader: {
    read(client: ClientSocket, data: RawData, isBinary: boolean, router: FrameRouter): void;
  };
  readonly connections: SocketOwner;
  readonly router: FrameRouter;
}

/**
 * One connected client of the router: the {@link Client} of handlers. Its WebSocket is another object, so that native
 * gateways on its path may set any field of theirs without changing who the client is.
 *
 * All text goes through one queue, so that frames of one turn leave together and in order. It holds no closure
 * per handler: an idle client costs the same whatever the application can do.
 */
export class ClientSocket implements Client, GatewayClient, SocketSender, QueueObserver {
  readonly socket: RoutedSocket;
  declare id: string;
  declare user: string;
  declare claims: Client['claims'];
  /** True if it gave a sign of life since the last ping. */
  declare alive: boolean;
  /** Its heartbeat slot in the period; the heartbeats assign it. */
  declare heartbeatSlot?: number;
  /** When its identity ends unless it is refreshed, ms on this process' steady clock; 0: never. */
  declare expiresAt: number;
  /** When its identity was proven, ms since 1970; 0: unknown. */
  declare issuedAt: number;
  /** Generation of its user when it came: one that is raised later ends the connection. */
  declare generation: number;
  /** Absent without the subprotocol. */
  declare session?: ClientSession;
  /** Handlers of native gateways; absent where there are none. */
  declare native?: NativeHandlers;
  /** State that it shares with the other sockets of its path. */
  declare pathContext: PathContext;
  /** Number of rooms that it is a member of or is about to join. */
  declare places: number;
  /** Until when each of its own rate limits is charged, µs of this process' steady clock; no more than the handlers have. */
  declare rates?: Map<string, number>;
  /** Number of rooms that it is behind in; the rooms count them. */
  declare lags: number;
  /** Number of commands under way, including those that wait for a join or leave. */
  declare inFlight: number;
  /** Called when no command is under way any more. */
  declare whenIdle?: () => void;
  /** Number of its commands that only another node could carry out. */
  declare sentElsewhere?: number;
  /** The code that this node closed it with; the client may never read it. */
  declare closedWith?: number;
  /** Callbacks of native gateways for its close. */
  declare closeCallbacks?: ((code: number) => void)[];

  /** Arrival of the frame that is being read, if it had to wait; ms on this process' steady clock. */
  declare arrivedAt?: number;

  /** Claims of connect guards; absent where they gave none. */
  declare private attached?: AttachedClaims;
  /** Connection hooks under way. */
  declare private hooks: number;
  /** Number of commands that are not answered yet, and the bytes of their frames. */
  declare private load: number;
  declare private loadBytes: number;
  /** Frames that came before a connection hook was done, or while too much was under way. */
  declare private held?: HeldFrame[];
  declare private heldBytes?: number;
  declare private readingSoon?: boolean;
  /** True if frames are dropped, because a connection hook failed or the client is let go. */
  declare private dropping?: boolean;
  declare private inbound: Inbound;
  declare private outbound?: OutboundQueue;
  declare private roomStates?: Map<string, RoomState>;

  /** Makes an accepted socket a client. */
  constructor({
    socket,
    id,
    user,
    stream,
    flusher,
    shares,
    context,
    generation = 0,
    ...identity
  }: ClientInit) {
    this.socket = socket;
    this.pathContext = context;
    this.alive = true;
    this.inFlight = 0;
    this.places = 0;
    this.lags = 0;
    this.hooks = 0;
    this.load = 0;
    this.loadBytes = 0;
    this.identify(identity);
    this.generation = generation;
    this.id = id;
    this.user = user;
    this.outbound = new OutboundQueue(stream, flusher, this);
    this.inbound = new Inbound(this, stream, shares);
    socket[CLIENT] = this;
  }

  /**
   * Takes the end and the claims of an identity. The end is read once: from here on only the steady clock counts, so
   * that a step of the wall clock does not end connections.
   */
  identify({ expiresAt, issuedAt, claims = NO_CLAIMS, attached }: ClientIdentity): void {
    this.issuedAt = issuedAt ?? 0;
    if (attached) this.attached = attached;
    this.claims = this.attached ? withAttached(claims, this.attached) : claims;
    this.expiresAt =
      expiresAt === undefined ? 0 : performance.now() + expiresAt - Date.now() + IDENTITY_LEEWAY_MS;
  }

  /** The client of a socket; absent for one that the router did not accept. */
  static of(socket: unknown): ClientSocket | undefined {
    return socket instanceof RoutedSocket ? (socket as RoutedSocket<ClientSocket>)[CLIENT] : undefined;
  }

  /** The state of its WebSocket. */
  get readyState(): WebSocket['readyState'] {
    return this.socket.readyState;
  }

  /** True while it is not read from. */
  get isPaused(): boolean {
    return this.socket.isPaused;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  ping(): void {
    this.socket.ping();
  }

  /** Cuts the connection. */
  terminate(): void {
    this.socket.terminate();
  }

  /** Lets frames wait until this is done, but no longer than a hook may take. */
  holdUntil(done: Promise<unknown>): void {
    this.hooks++;
    const end = (): void => {
      this.hooks--;
      this.readHeld();
    };
    void settledMeanwhile(done, MAX_HOOK_MS).then(end, end);
  }

  /** Counts a command of this many bytes as under way. */
  took(bytes: number): void {
    this.load++;
    this.loadBytes += bytes;
  }

  /** Stops counting a command of this many bytes; frames that were kept back may be read. */
  gaveBack(bytes: number): void {
    this.load--;
    this.loadBytes -= bytes;
    // This does not run within the end of a command, which would then start the next ones, and so on.
    if (this.held) this.readHeldSoon();
  }

  private readHeldSoon(): void {
    if (this.readingSoon) return;
    this.readingSoon = true;
    setImmediate(() => {
      this.readingSoon = false;
      this.readHeld();
    });
  }

  /**
   * True if it is not read from, because too much is under way or it is over its share, so that it can't give a sign of
   * life.
   */
  get throttled(): boolean {
    return (this.held !== undefined && this.hooks === 0) || this.inbound.isOverShare;
  }

  /** Its frames broke the protocol, so no more of them are read. */
  broke(): void {
    this.inbound.discardRest();
  }

  /** Part of {@link SocketSender}. */
  resumed(): void {
    this.inbound.resumed();
  }

  /** Answers a ping, unless a newer one comes before the answer is written. */
  pinged(payload: Buffer): void {
    this.alive = true;
    this.queue?.pushPong(pongFrame(payload));
  }

  /** Drops frames that were kept back, and all later ones. */
  dropFrames(): void {
    this.dropping = true;
  }

  /**
   * Keeps a frame back while a connection hook or too much else is under way; returns true if the frame was consumed.
   * From the first such frame on the socket is not read: only frames that `ws` has already are kept, the rest stays
   * with the client. Only while hooks are under way it is, up to a bound, so that its close is noticed.
   */
  hold(data: RawData, isBinary: boolean): boolean {
    if (this.dropping) return true;
    if (!this.held) {
      if (!this.mustWait) return false;
      [this.held, this.heldBytes] = [[], 0];
      if (this.hooks === 0) this.inbound.keptBack();
    }
    this.held.push({ data, isBinary, arrivedAt: performance.now() });
    this.heldBytes! += frameBytes(data) + HELD_FRAME_BYTES;
    if (this.hooks === 0 || this.heldBytes! > MAX_HELD_BYTES) this.pause();
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
    reportFault(
      this,
      `frames ${kindOf(error)}`,
      `frames of client ${this.id} can't be written, so it is cut: ${stackOf(error)}`,
    );
    this.terminate();
  }

  /** Calls {@link drained} once what is queued now has been written. */
  whenDrained(): void {
    this.outbound?.notifyWhenWritten();
  }

  /** Time since which the client has not read, ms on this process' steady clock; 0 while it does. */
  get blockedSince(): number {
    return this.outbound?.blockedSince ?? 0;
  }

  /** Queues text that may overtake the frames of rooms. */
  reply(text: string): void {
    if (this.readyState === WebSocket.OPEN) this.outbound?.pushUrgent(textFrame(text));
  }

  /** The queue for frames that keep their order; absent when the socket is not open any more. */
  get queue(): OutboundQueue | undefined {
    return this.readyState === WebSocket.OPEN ? this.outbound : undefined;
  }

  /** Closes with a code of the table and its reason, after everything that was queued. */
  closeWith(code: CloseCode): void {
    this.close(code, CLOSE_CODES[code].reason);
  }

  close(code?: number, reason?: string | Buffer): void {
    // `flush` could find the client too slow and close it again, without end.
    this.queue?.finish();
    if (code !== undefined && this.readyState === WebSocket.OPEN) this.closedWith = code;
    WebSocket.prototype.close.call(this.socket, code, reason);
    // This is how `ws` answers a close frame.
    if ((this.socket as { _closeFrameReceived?: boolean })._closeFrameReceived) this.inbound.discardRest();
    // Frames that were kept back are dropped, and the answer to the close frame is read.
    if (this.held && this.hooks === 0) this.readHeld();
  }

  /** Sends for native gateways: plain text joins the replies, everything else goes out after them. */
  send(...args: unknown[]): void {
    const [data, ...rest] = args;
    const content = typeof data === 'string' ? withoutEcho(data) : data;
    if (typeof content === 'string' && rest.length === 0 && this.queue && this.socket.extensions === '') {
      this.queue.pushUrgent(textFrame(content));
      return;
    }
    this.queue?.flush();
    this.queue?.writeAll();
    (WebSocket.prototype.send as (...all: unknown[]) => void).call(this.socket, content, ...rest);
  }

  /** Reads frames that were kept back, in order, some of them in a turn, as far as limits allow. */
  private readHeld(): void {
    const { held } = this;
    if (!held || this.inbound.waitsForNews(() => this.readHeld())) return;
    let next = 0;
    while (next < held.length && next < WAITING_AT_ONCE && !this.mustWait && this.takesFrames) {
      const { data, isBinary, arrivedAt } = held[next++]!;
      this.arrivedAt = arrivedAt;
      this.pathContext.reader.read(this, data, isBinary, this.pathContext.router);
    }
    delete this.arrivedAt;
    held.splice(0, next);
    if (held.length > 0 && this.takesFrames) {
      if (this.hooks === 0) this.pause();
      if (!this.mustWait) this.readHeldSoon();
      return;
    }
    delete this.held;
    // A closing client is read too, or its answer to the close frame would be missed; a client that is let go is not
    // read any more.
    if (!this.whenIdle || !this.takesFrames) this.resume();
  }

  private get takesFrames(): boolean {
    return !this.dropping && this.readyState === WebSocket.OPEN;
  }

  /** State of a room in which the client is or has commands under way. */
  roomState(room: string): RoomState | undefined {
    return this.roomStates?.get(room);
  }

  /** Keeps the state of a room until {@link freeRoom} is called as often; call it for valid room names only. */
  useRoom(room: string): RoomState {
    const states = (this.roomStates ??= new Map<string, RoomState>());
    let state = states.get(room);
    if (!state)
      states.set(room, (state = { joined: false, order: new CommandOrder(), uses: 0, changing: false }));
    state.uses++;
    return state;
  }

  /** Ends one use of a room's state. */
  freeRoom(room: string): void {
    const state = this.roomStates!.get(room)!;
    if (--state.uses === 0) this.roomStates!.delete(room);
  }

  /** States of the rooms in which the client is or has commands under way. */
  roomsInUse(): RoomState[] {
    return [...(this.roomStates?.values() ?? [])];
  }

  /** Rooms that the client has joined. */
  joinedRooms(): string[] {
    return [...(this.roomStates ?? [])].flatMap(([room, { joined }]) => (joined ? [room] : []));
  }
}
