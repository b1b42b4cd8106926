import type { Duplex } from 'node:stream';
import type { Flushable, Flusher } from './flusher.js';
import { type FramesOrigin, SharedFrames } from './shared-frames.js';

/** A client that has this much unread is a slow consumer, bytes. */
export const MAX_OUTBOUND_BYTES = 1_048_576;

/** More than this in the socket's own buffer keeps frames in the queue, where replies can overtake, bytes. */
const SOCKET_HIGH_WATER = 65_536;

/**
 * About how much is given to the socket in one system call, bytes; this data can't be taken back from a slow client.
 */
const WRITE_BYTES = 262_144;

type Chunk = Buffer | SharedFrames;

/** The frames that a held queue keeps back: those of rooms and all that follow them, or all that may not overtake. */
export type HeldFrames = 'rooms' | 'all';

/** Hears of a queue whose client reads too slowly. */
export interface QueueObserver {
  /** More than {@link MAX_OUTBOUND_BYTES} are unread; called at most once per flush. */
  overflowed(): void;
  /** Everything that was queued has been handed to the socket, after it had been blocked. */
  drained(): void;
  /** Writing failed, by a bug: the connection can't go on. */
  failed(error: unknown): void;
}

const NONE: never[] = [];

/** Frames that wait to be written to one socket. Replies and control frames overtake those of rooms. */
export class OutboundQueue implements Flushable {
  /** Time since which the socket takes no data, ms on this process' steady clock; 0 while it does. */
  blockedSince = 0;

  // Idle queues share one empty array, so that an idle client costs nothing here.
  private urgent: Chunk[] = NONE;
  declare private pong?: Buffer;
  private bulk: Chunk[] = NONE;
  private dirty = false;
  private notify = false;
  private held?: HeldFrames;
  private counted = 0;
  private countedUrgent = 0;
  private countedBulk = 0;

  constructor(
    private readonly socket: Duplex,
    private readonly flusher: Flusher,
    private readonly observer: QueueObserver,
  ) {}

  /** Queues a frame that may overtake those of rooms: replies, notices. */
  pushUrgent(frame: Buffer): void {
    if (this.urgent === NONE) this.urgent = [];
    this.urgent.push(frame);
    this.touch();
  }

  /** Queues a pong in the place of one that was not written yet: only the newest ping needs an answer (RFC 6455 §5.5.3). */
  pushPong(frame: Buffer): void {
    this.pong = frame;
    this.touch();
  }

  /** Queues frames that keep their order: events of rooms, and replies in a room's order. */
  push(chunk: Chunk): void {
    if (this.bulk === NONE) this.bulk = [];
    this.bulk.push(chunk);
    this.touch();
  }

  /** Writes as much of the queue as the socket takes, the rest when it has drained. Never throws. */
  flush(): void {
    this.dirty = false;
    try {
      this.writeOrWait();
    } catch (error) {
      // The queues behind this one must still be flushed.
      this.clear();
      this.observer.failed(error);
    }
  }

  private writeOrWait(): void {
    if (this.gone) return this.clear();
    if (this.congested) return this.wait();
    this.takePong();
    if (this.held) return this.writeHeld();
    while (this.urgent.length + this.bulk.length > 0) {
      if (this.congested) return this.wait();
      this.write(WRITE_BYTES);
    }
    if (!this.notify) return;
    this.notify = false;
    // This does not run within the flush: frames that the observer queues belong to the next one.
    setImmediate(() => this.observer.drained());
  }

  /** Writes the whole queue even to a slow client, so that e.g. a close frame can follow. */
  writeAll(): void {
    if (this.gone) return this.clear();
    this.takePong();
    if (this.held) this.writeFree();
    else this.write(Infinity);
  }

  /** Writes the queue before a close frame; frames that are held back must not follow that frame. */
  finish(): void {
    this.writeAll();
    this.clear();
  }

  /** Lets frames wait until {@link release}. */
  hold(what: HeldFrames): void {
    this.held = what;
  }

  /** Ends {@link hold}. */
  release(): void {
    if (!this.held) return;
    delete this.held;
    // The client may have fallen behind meanwhile.
    this.notifyWhenWritten();
  }

  private writeHeld(): void {
    if (this.overflowing) this.observer.overflowed();
    this.writeFree();
  }

  /** Writes what need not wait: it keeps its order. */
  private writeFree(): void {
    const { bulk } = this;
    const first = this.held === 'all' ? 0 : bulk.findIndex(isOfRoom);
    this.bulk = first < 0 ? bulk : bulk.slice(0, first);
    this.write(Infinity);
    if (first >= 0) this.bulk = bulk.slice(first);
    this.recount();
  }

  /** Once the socket takes data, a pong is a frame like others. */
  private takePong(): void {
    const { pong } = this;
    if (!pong) return;
    delete this.pong;
    if (this.urgent === NONE) this.urgent = [];
    this.urgent.push(pong);
  }

  /** Writes from the front of the queue, in one system call, until this many bytes are written. */
  private write(most: number): void {
    const { urgent, bulk } = this;
    if (urgent.length + bulk.length === 0) return;
    this.clear();
    if (urgent.length + bulk.length === 1) {
      this.socket.write(bufferOf((urgent[0] ?? bulk[0])!));
      return;
    }
    this.socket.cork();
    const left = { bytes: most };
    const urgentLeft = this.writeFrom(urgent, left);
    const bulkLeft = this.writeFrom(bulk, left);
    this.socket.uncork();
    this.urgent = urgentLeft;
    this.bulk = bulkLeft;
  }

  /** @returns the chunks that are not written yet */
  private writeFrom(chunks: Chunk[], left: { bytes: number }): Chunk[] {
    for (let index = 0; index < chunks.length; index++) {
      if (left.bytes <= 0) return chunks.slice(index);
      const buffer = bufferOf(chunks[index]!);
      this.socket.write(buffer);
      left.bytes -= buffer.length;
    }
    return NONE;
  }

  /** True if the socket has enough to write; it will emit `drain`. */
  private get congested(): boolean {
    return this.socket.writableLength > SOCKET_HIGH_WATER && this.socket.writableNeedDrain;
  }

  private get gone(): boolean {
    return this.socket.destroyed || this.socket.writableEnded;
  }

  /** Bytes that wait in this queue, without those that the socket has taken. */
  get queuedBytes(): number {
    // Each chunk is counted once, so that a growing queue of a slow client does not cost the others.
    for (; this.countedUrgent < this.urgent.length; this.countedUrgent++) {
      this.counted += sizeOf(this.urgent[this.countedUrgent]!);
    }
    for (; this.countedBulk < this.bulk.length; this.countedBulk++) {
      this.counted += sizeOf(this.bulk[this.countedBulk]!);
    }
    return this.counted;
  }

  /** True if more is unread than a client may leave unread. */
  get overflowing(): boolean {
    return this.unreadBytes > MAX_OUTBOUND_BYTES;
  }

  /** Bytes that the client has not taken, as far as this process knows. */
  get unreadBytes(): number {
    return this.socket.writableLength + this.queuedBytes;
  }

  /** Takes out the frames of rooms that the filter selects and returns their origins, oldest first. */
  drop(filter: (origin: FramesOrigin) => boolean): FramesOrigin[] {
    const dropped: FramesOrigin[] = [];
    this.bulk = this.bulk.filter((chunk) => {
      if (!(chunk instanceof SharedFrames) || !chunk.origin || !filter(chunk.origin)) return true;
      dropped.push(chunk.origin);
      return false;
    });
    this.recount();
    return dropped;
  }

  /** Keeps all queued frames of a room from being dropped, because a later frame depends on them. */
  keep(room: string): void {
    this.bulk = this.bulk.map((chunk) =>
      chunk instanceof SharedFrames && chunk.origin?.room === room && chunk.origin.after
        ? chunk.buffer
        : chunk,
    );
  }

  /** Drops everything. */
  clear(): void {
    this.urgent = NONE;
    this.bulk = NONE;
    this.recount();
  }

  private recount(): void {
    this.counted = this.countedUrgent = this.countedBulk = 0;
  }

  /** Tells the observer when everything queued until now has been handed to the socket. */
  notifyWhenWritten(): void {
    this.notify = true;
    this.touch();
  }

  private touch(): void {
    if (this.dirty) return;
    this.dirty = true;
    this.flusher.add(this);
  }

  private wait(): void {
    if (this.overflowing) this.observer.overflowed();
    if (this.blockedSince !== 0) return;
    this.blockedSince = performance.now();
    this.socket.once('drain', () => {
      this.blockedSince = 0;
      // Not at once: the flusher knows if the client may have been put out meanwhile.
      this.notifyWhenWritten();
    });
  }
}

function sizeOf(chunk: Chunk): number {
  return chunk instanceof SharedFrames ? chunk.size : chunk.length;
}

function bufferOf(chunk: Chunk): Buffer {
  return chunk instanceof SharedFrames ? chunk.buffer : chunk;
}

function isOfRoom(chunk: Chunk): boolean {
  return chunk instanceof SharedFrames && chunk.origin !== undefined;
}
