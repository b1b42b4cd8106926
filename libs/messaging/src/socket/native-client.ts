import { settledMeanwhile } from '@wss/protocol';
import { Logger, type WsMessageHandler } from '@nestjs/common';
import type { Observable } from 'rxjs';
import type { RawData, WebSocket } from 'ws';
import { HELD_FRAME_BYTES, MAX_HELD_BYTES, MAX_HOOK_MS } from '../ports/limits.js';
import { type GatewayClient, type GatewayPath, reportFault } from './connection-failure.js';
import { frameBytes } from './frame-size.js';
import { NativeHandlers } from './native-handlers.js';

/** Reads a message of a native path and takes it to its handlers. */
export interface NativeReader {
  readNative(handlers: NativeHandlers, data: RawData, isBinary: boolean): void;
}

/** State that the sockets of one native path have in common. */
export interface NativePath extends GatewayPath {
  readonly reader: NativeReader;
}

/** Where a socket keeps its {@link NativeClient}. Every name is free for the application, so it has none. */
const STATE = Symbol('native client');

type NativeSocket = WebSocket & { [STATE]?: NativeClient };

interface HeldMessage {
  readonly data: RawData;
  readonly isBinary: boolean;
}

let count = 0;

/**
 * The adapter's view of a client on a path that only native gateways serve. Its socket is an ordinary `WebSocket`, which
 * belongs to the application.
 */
export class NativeClient implements GatewayClient {
  readonly id = `native.${(++count).toString(36)}`;
  private handlers?: NativeHandlers;
  private closeCallbacks?: ((code: number) => void)[];
  private hooks = 0;
  private held?: HeldMessage[];
  private heldBytes = 0;
  private dropping = false;
  private listening = false;
  /** Tells the gateways that the client has gone, once its messages that wait are handled. */
  private tellClosed?: () => void;

  private constructor(
    readonly socket: WebSocket,
    readonly pathContext: NativePath,
  ) {}

  /** Makes a socket a client of a path. */
  static begin(socket: WebSocket, path: NativePath): NativeClient {
    const client = new NativeClient(socket, path);
    (socket as NativeSocket)[STATE] = client;
    socket.on('error', onError);
    return client;
  }

  /** The client of a socket; absent for one that no native path accepted. */
  static of(socket: unknown): NativeClient | undefined {
    return (socket as NativeSocket | undefined)?.[STATE];
  }

  /** Adds the handlers of one gateway. The first of them start to listen, behind the listeners that the gateways added. */
  addHandlers(
    handlers: readonly WsMessageHandler[],
    transform: (data: unknown) => Observable<unknown>,
  ): void {
    if (!this.handlers) {
      const { socket } = this;
      this.handlers = new NativeHandlers(
        this.pathContext,
        (text) => {
          // As in Nest, where what JSON does not have is sent as no bytes.
          if (socket.readyState === socket.OPEN) socket.send(text as string);
        },
        (kind, line) => reportFault(this, kind, line),
      );
      socket.on('message', onMessage as never);
    }
    this.handlers.add(handlers, transform);
    this.listenForClose();
  }

  /** Calls this when the socket is closed. */
  onClose(callback: (code: number) => void): void {
    // An array that grows keeps room for 16 more, and most clients have one callback.
    if (this.closeCallbacks) this.closeCallbacks.push(callback);
    else this.closeCallbacks = [callback];
    this.listenForClose();
  }

  /**
   * Keeps frames from the handlers until this is done, or too much time or data has come. If the application closes the
   * socket meanwhile, they are dropped: a hook may have refused the client.
   */
  holdUntil(done: Promise<unknown>): void {
    if (this.hooks++ === 0) noteClose(this.socket);
    const end = (): void => {
      this.hooks--;
      if (this.hooks > 0) return;
      forgetClose(this.socket);
      this.readHeld();
    };
    void settledMeanwhile(done, MAX_HOOK_MS).then(end, end);
  }

  dropFrames(): void {
    this.dropping = true;
    delete this.held;
    this.tellClosed?.();
  }

  /** Takes a message to the handlers, now or when the connection hooks are done. */
  take(data: RawData, isBinary: boolean): void {
    if (this.dropping) return;
    if (this.hooks > 0 && this.heldBytes <= MAX_HELD_BYTES) {
      this.heldBytes += frameBytes(data) + HELD_FRAME_BYTES;
      (this.held ??= []).push({ data, isBinary });
      if (this.heldBytes > MAX_HELD_BYTES) this.readHeld();
    } else this.read(data, isBinary);
  }

  /** Ends what its handlers still send, and tells its gateways: behind messages that wait, as those came before. */
  closed(code: number): void {
    if (!this.held) return this.ended(code);
    const told = new Promise<void>((resolve) => {
      this.tellClosed = () => {
        delete this.tellClosed;
        this.ended(code);
        resolve();
      };
    });
    const { cleanUps } = this.pathContext;
    cleanUps.add(told);
    void told.then(() => cleanUps.delete(told));
  }

  private ended(code: number): void {
    this.handlers?.stop();
    for (const callback of this.closeCallbacks ?? []) callback(code);
  }

  private listenForClose(): void {
    if (this.listening) return;
    this.listening = true;
    this.socket.on('close', onClose as never);
  }

  private readHeld(): void {
    const held = this.held ?? [];
    delete this.held;
    for (const { data, isBinary } of held) if (!this.dropping) this.read(data, isBinary);
    // As in Nest, handlers have a turn before the streams that they return are ended.
    if (this.tellClosed) setImmediate(() => this.tellClosed?.());
  }

  private read(data: RawData, isBinary: boolean): void {
    this.pathContext.reader.readNative(this.handlers!, data, isBinary);
  }
}

// Shared by all sockets, so that a client costs no closures; `ws` calls listeners with the socket as `this`.
function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  NativeClient.of(this)!.take(data, isBinary);
}

function onClose(this: WebSocket, code: number): void {
  NativeClient.of(this)!.closed(code);
}

type Ender = 'close' | 'terminate';

/** Lets the client know that the application, and not its peer, closes the socket. */
function noteClose(socket: WebSocket): void {
  for (const [name, value] of [
    ['close', notedClose],
    ['terminate', notedTerminate],
  ] as const) {
    // Not over what a gateway has put there.
    if (!Object.hasOwn(socket, name)) Object.defineProperty(socket, name, { value, ...HIDDEN });
  }
}

const HIDDEN = { configurable: true, writable: true, enumerable: false };

function forgetClose(socket: WebSocket): void {
  if (socket.close === notedClose) Reflect.deleteProperty(socket, 'close');
  if (socket.terminate === notedTerminate) Reflect.deleteProperty(socket, 'terminate');
}

function notedClose(this: WebSocket, ...args: Parameters<WebSocket['close']>): void {
  // `ws` answers the peer's close frame by this method, too.
  if (!(this as { _closeFrameReceived?: boolean })._closeFrameReceived) NativeClient.of(this)!.dropFrames();
  ownMethod(this, 'close').apply(this, args);
}

function notedTerminate(this: WebSocket): void {
  NativeClient.of(this)!.dropFrames();
  ownMethod(this, 'terminate').call(this);
}

function ownMethod<N extends Ender>(socket: WebSocket, name: N): WebSocket[N] {
  return (Object.getPrototypeOf(socket) as WebSocket)[name];
}

/** Clients cause these, so they are not logged as errors. */
function onError(this: WebSocket, error: Error): void {
  new Logger('Connections').debug(`client ${NativeClient.of(this)!.id}: ${error.message}`);
}
