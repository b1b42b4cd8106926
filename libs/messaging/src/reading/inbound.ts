import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { type Pace, PacedReceiver } from './paced-receiver.js';
import { OWED_SECONDS, type PausedReader, type ReadingShares, SAVED_SECONDS } from './reading-shares.js';
import { costOf, FRAMES_AT_ONCE, nextPart, type WaitingReader } from './reading-turns.js';

/** Bytes of a client's frame beside its payload, at least. */
const HEADER_BYTES = 6;

/** A client that is read. */
export interface ReadClient {
  /** Names it in the log. */
  readonly id: string;
  readonly socket: WebSocket;
  /** True if it gave a sign of life. */
  alive: boolean;
}

/** Why a client is not read now. */
type Stop =
  /** It has had its part of this turn. */
  | 'turn'
  /** It is over its share of frames or bytes per second. */
  | 'share'
  /** Its socket is paused. */
  | 'pause';

/**
 * The way in of one client: some of its frames are read in a turn, and so many frames and bytes in a second. Both are
 * counted down frame by frame, control frames and fragments included, and the clock is read only when a part of a turn is
 * used up. The rest stays with its sender; nothing is lost.
 */
export class Inbound implements Pace, WaitingReader, PausedReader {
  private left = FRAMES_AT_ONCE;
  /** Frames of the next part of a turn. */
  private part = FRAMES_AT_ONCE;
  private firstCost = 0;
  private frames: number;
  private bytes: number;
  private refilledAt = performance.now();
  declare private stop?: Stop;
  private ended = false;
  declare private discards?: boolean;
  private listening = false;
  private readonly receiver: PacedReceiver | undefined;

  constructor(
    private readonly client: ReadClient,
    private readonly stream: Duplex,
    private readonly shares: ReadingShares,
  ) {
    this.frames = shares.framesPerSecond * SAVED_SECONDS;
    this.bytes = shares.bytesPerSecond * SAVED_SECONDS;
    this.receiver = PacedReceiver.of(client.socket, stream, this);
  }

  /** True while it is over its share, so that signs of life may lie unread. */
  get isOverShare(): boolean {
    return this.stop === 'share';
  }

  /** Calls back when this node has heard what it missed while it stood still; returns false if it missed nothing. */
  waitsForNews(goOn: () => void): boolean {
    const { behind } = this.shares;
    void behind?.then(goOn);
    return behind !== undefined;
  }

  takes(bytes: number): boolean {
    const cost = costOf(bytes);
    this.left -= cost;
    this.frames--;
    this.bytes -= bytes + HEADER_BYTES;
    const isAllowed = this.left >= 0 && this.frames >= 0 && this.bytes >= 0 && !this.client.socket.isPaused;
    if (this.shares.behind) this.stopFor('turn');
    else if (isAllowed || this.mayStill()) return true;
    // It is the first one of the next part.
    this.firstCost = cost;
    return false;
  }

  private mayStill(): boolean {
    if (!this.ended) {
      if (this.client.socket.isPaused) return this.stopFor('pause');
      if (!this.refill(performance.now())) return this.stopFor('share');
    }
    return this.left >= 0 || this.stopFor('turn');
  }

  private stopFor(stop: Stop): false {
    this.stop = stop;
    if (stop === 'turn') {
      this.shares.turns.add(this);
      return false;
    }
    this.noticeEnd();
    if (stop === 'share') {
      // Everything behind the frame that was met, pongs too, is seen late.
      this.client.alive = true;
      this.receiver!.stopStream();
      this.shares.pause(this, this.frames < 0 ? 'frames' : 'bytes', this.client.id);
    }
    return false;
  }

  /** Returns true if nothing is owed any more. */
  private refill(now: number): boolean {
    const { framesPerSecond, bytesPerSecond } = this.shares;
    const seconds = (now - this.refilledAt) / 1_000;
    this.refilledAt = now;
    this.frames = refilled(this.frames, framesPerSecond, seconds);
    this.bytes = refilled(this.bytes, bytesPerSecond, seconds);
    return this.frames >= 0 && this.bytes >= 0;
  }

  mayGoOn(now: number): boolean {
    if (this.stop !== 'share') return true;
    if (!this.refill(now)) return false;
    this.awaitTurn();
    return true;
  }

  /** Its frames are kept back, because too many of its commands are under way. */
  keptBack(): void {
    this.shares.keptBack();
  }

  /** Its socket is not paused any more. */
  resumed(): void {
    if (this.stop === 'pause') this.awaitTurn();
  }

  private awaitTurn(): void {
    this.stop = 'turn';
    this.shares.turns.add(this);
  }

  readOn(): void {
    if (this.stop !== 'turn') return;
    if (this.isCut) return this.drop();
    const { isPaused } = this.client.socket;
    if (isPaused && !this.ended) {
      this.stop = 'pause';
      return this.noticeEnd();
    }
    delete this.stop;
    this.left = this.part - this.firstCost;
    if (this.discards) this.stream.resume();
    else this.receiver!.goOn(isPaused);
  }

  took(ms: number): void {
    this.part = nextPart(this.part, ms);
  }

  /**
   * Reads what comes behind the last frame, up to the end of the connection, as fast as a client's share is: nobody needs
   * it, and it may be endless. `ws` itself would read it as fast as it comes.
   */
  discardRest(): void {
    if (this.discards) return;
    this.discards = true;
    this.bytes = Math.min(this.bytes, 0);
    this.stream.on('data', (chunk: Buffer) => this.discarded(chunk.length));
  }

  private discarded(bytes: number): void {
    this.bytes -= bytes;
    if (this.bytes >= 0 || this.refill(performance.now()) || this.stop) return;
    this.stop = 'share';
    this.stream.pause();
    this.shares.waitFor(this);
  }

  /** Otherwise the end of a connection would be told only when it is read again. */
  private noticeEnd(): void {
    if (this.listening) return;
    this.listening = true;
    this.stream.once('close', () => this.onEnd());
  }

  /** Frames that a client sent before it ended its connection are read, in turns; it can't be slowed any more. */
  private onEnd(): void {
    this.ended = true;
    if (this.stop === undefined) return;
    if (this.isCut) this.drop();
    else if (this.stop !== 'turn') this.awaitTurn();
  }

  /** True if the connection was cut, by either side. */
  private get isCut(): boolean {
    return this.stream.destroyed && !this.stream.readableEnded;
  }

  private drop(): void {
    delete this.stop;
    this.receiver!.drop();
  }
}

function refilled(left: number, perSecond: number, seconds: number): number {
  if (perSecond === Infinity) return left;
  return Math.min(perSecond * SAVED_SECONDS, Math.max(left, -perSecond * OWED_SECONDS) + seconds * perSecond);
}
