import type { Duplex, Writable } from 'node:stream';
import type { WebSocket } from 'ws';

/** Hears of each frame whose header has been read. */
export interface Pace {
  /**
   * Charges a frame; returns false if the receiver has to stop before its payload.
   * @param bytes size of the payload
   */
  takes(bytes: number): boolean;
}

type ParserCallback = (error?: Error) => void;

/**
 * The part of the parser of `ws` that is used here. It is not public, but `ws` has had it for years, and a release
 * without it is noticed: {@link PacedReceiver.of} returns nothing.
 */
interface Receiver extends Writable {
  _state: number;
  _errored: boolean;
  _payloadLength: number;
  _buffers: Buffer[];
  _bufferedBytes: number;
  haveLength(callback: ParserCallback): void;
  startLoop(callback: ParserCallback): void;
}

const PACE = Symbol('pace');
type Paced = Receiver & { [PACE]?: PacedReceiver };

/** The method of a receiver for headers, and its state in which it waits and takes nothing more. */
interface Parser {
  readonly haveLength: Receiver['haveLength'];
  readonly waiting: number;
}

const parsers = new WeakMap<object, Parser>();

/**
 * Lets the parser of a WebSocket stop between two frames, so that what came with them in one piece of TCP waits as bytes
 * where it is: `pause()` of `ws` stops only what has not been read yet. Everything behind the stop keeps its order.
 */
export class PacedReceiver {
  declare private stoppedIn: number;
  declare private callback?: ParserCallback;

  private readonly parser: Parser;
  private readonly stream: Duplex;
  private readonly pace: Pace;
  private stoppedStream = false;

  private constructor(
    private readonly receiver: Paced,
    { parser, stream, pace }: { readonly parser: Parser; readonly stream: Duplex; readonly pace: Pace },
  ) {
    this.parser = parser;
    this.stream = stream;
    this.pace = pace;
    receiver[PACE] = this;
    receiver.haveLength = pacedHaveLength;
  }

  /** Paces a socket; absent if this release of `ws` can't be. */
  static of(socket: WebSocket, stream: Duplex, pace: Pace): PacedReceiver | undefined {
    const { _receiver: receiver } = socket as unknown as { _receiver?: Paced };
    const parser = receiver && parserOf(receiver);
    return parser && new PacedReceiver(receiver, { parser, stream, pace });
  }

  /** @internal Called in the place of the parser's own method. */
  atHeader(callback: ParserCallback): void {
    const { receiver, parser } = this;
    parser.haveLength.call(receiver, callback);
    if (receiver._errored || this.pace.takes(receiver._payloadLength)) return;
    this.stoppedIn = receiver._state;
    this.callback = callback;
    receiver._state = parser.waiting;
  }

  /** Reads nothing more from the stream until the receiver goes on. */
  stopStream(): void {
    this.stoppedStream = true;
    this.stream.pause();
  }

  /** Goes on with the frame before which it stopped. */
  goOn(isPaused: boolean): void {
    const { receiver, callback } = this;
    if (!callback) return;
    delete this.callback;
    receiver._state = this.stoppedIn;
    // Otherwise `ws` has paused it, if anybody.
    if (this.stoppedStream && !isPaused && !receiver.writableNeedDrain) this.stream.resume();
    this.stoppedStream = false;
    receiver.startLoop(callback);
  }

  /** Forgets what it has not parsed, so that the end of the connection is told at once. */
  drop(): void {
    const { receiver, callback } = this;
    if (!callback) return;
    delete this.callback;
    receiver._buffers = [];
    receiver._bufferedBytes = 0;
    receiver._write = (_chunk, _encoding, done) => done();
    callback();
  }
}

// One function for all receivers: a client costs no closure.
function pacedHaveLength(this: Paced, callback: ParserCallback): void {
  this[PACE]!.atHeader(callback);
}

function parserOf(receiver: Receiver): Parser | undefined {
  const prototype = Object.getPrototypeOf(receiver) as Receiver & { constructor: ReceiverClass };
  const known = parsers.get(prototype);
  if (known) return known;
  const parser = inspect(prototype);
  if (parser) parsers.set(prototype, parser);
  return parser;
}

type ReceiverClass = new (options: object) => Receiver;

/** Finds the state in which a receiver waits: with `allowSynchronousEvents: false` it waits behind each frame. */
function inspect({
  constructor,
  haveLength,
  startLoop,
}: Receiver & { constructor: ReceiverClass }): Parser | undefined {
  if (typeof haveLength !== 'function' || typeof startLoop !== 'function') return undefined;
  const probe = new constructor({ allowSynchronousEvents: false, isServer: false });
  const idle = probe._state;
  probe.write(Buffer.from([0x89, 0]));
  const waiting = probe._state;
  return typeof waiting === 'number' && waiting !== idle ? { haveLength, waiting } : undefined;
}
