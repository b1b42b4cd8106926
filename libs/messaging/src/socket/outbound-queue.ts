import type { Duplex } from 'node:stream';
import type { Flushable, Flusher } from './flusher.js';
import { type FramesOrigin, SharedFrames } from './shared-frames.js';

/** A client that has this much unread is a slow consumer, bytes. */
export const MAX_OUTBOUND_BYTES = 1_048_576;

/** More than this in the socket's own buffer keeps frames in the queue, where replies can overtake, bytes. */
const SOCKET_HIGH_WATER = 65_536;

/** About how much is given to the socket in one system call; what it has can't be taken back from a slow client, bytes. */
const WRITE_BYTES = 262_144;

type Chunk = Buffer | SharedFrames;

/** Told of what happens to a queue whose client reads too slowly. */
export interface QueueObserver {
  /** More than {@link MAX_OUTBOUND_BYTES} are unread; at most once per flush. */
  overflowed(): void;
  /** Everything that was queued has been handed to the socket, after it had been blocked. */
  drained(): void;
  /** Writing failed, by a bug: the connection can't go on. */
  failed(error: unknown): void;
}

const NONE: never[] = [];

/** Frames that wait to be written to one socket. Replies and control overtake what rooms send. */
export class OutboundQueue implements Flushable {
  /** Since when the socket has not taken what is queued, ms on this process' steady clock; 0 while it does. */
  blockedSince = 0;

  // Idle queues share one empty array, so that an idle client costs nothing here.
  private urgent: Chunk[] = NONE;
  private bulk: Chunk[] = NONE;
  private dirty = false;
  private notify = false;
  private counted = 0;
  private countedUrgent = 0;
  private countedBulk = 0;

  constructor(
    private readonly socket: Duplex,
    private readonly flusher: Flusher,
    private readonly observer: QueueObserver,
  ) {}

  /** Queues a frame that may overtake what rooms send: replies, notices. */
  pushUrgent(frame: Buffer): void {
    if (this.urgent === NONE) this.urgent = [];
    this.urgent.push(frame);
    this.touch();
  }

  /** Queues what keeps its place: events of rooms, and replies that belong into a room's order. */
  push(chunk: Chunk): void {
    if (this.bulk === NONE) this.bulk = [];
    this.bulk.push(chunk);
    this.touch();
  }

  /** Writes what is queued as far as the socket takes it, the rest when it has drained. Never throws. */
  flush(): void {
    this.dirty = false;
    try {
      this.writeOrWait();
    } catch (error) {
      // The queues behind this one have to be flushed all the same.
      this.clear();
      this.observer.failed(error);
    }
  }

  private writeOrWait(): void {
    if (this.gone) return this.clear();
    if (this.congested) return this.wait();
    while (this.urgent.length + this.bulk.length > 0) {
      if (this.congested) return this.wait();
      this.write(WRITE_BYTES);
    }
    if (!this.notify) return;
    this.notify = false;
    // Not from within the flush: what the observer queues belongs to the next one.
    setImmediate(() => this.observer.drained());
  }

  /** Writes what is queued even to a slow client: for what must come after it, such as a close frame. */
  writeAll(): void {
    if (this.gone) return this.clear();
    this.write(Infinity);
  }

  /** Writes from the front of the queue, in one system call, until so many bytes are written. */
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

  /** @returns what is not written yet */
  private writeFrom(chunks: Chunk[], left: { bytes: number }): Chunk[] {
    for (let index = 0; index < chunks.length; index++) {
      if (left.bytes <= 0) return chunks.slice(index);
      const buffer = bufferOf(chunks[index]!);
      this.socket.write(buffer);
      left.bytes -= buffer.length;
    }
    return NONE;
  }

  /** The socket has enough to write, and will tell when it has written it. */
  private get congested(): boolean {
    return this.socket.writableLength > SOCKET_HIGH_WATER && this.socket.writableNeedDrain;
  }

  private get gone(): boolean {
    return this.socket.destroyed || this.socket.writableEnded;
  }

  /** Bytes that wait here, without those that the socket has taken. */
  get queuedBytes(): number {
    // Each chunk is looked at once, or a queue that grows while its client is slow would cost the others.
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

  /** Takes out the frames of rooms that the filter names and returns what they were, oldest first. */
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

  /** Never drops what is queued of a room now: something that was queued behind it counts on it. */
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

  /** Tells the observer once what is queued now has been handed to the socket. */
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
      this.flush();
      if (this.blockedSince === 0) this.observer.drained();
    });
  }
}

function sizeOf(chunk: Chunk): number {
  return chunk instanceof SharedFrames ? chunk.size : chunk.length;
}

function bufferOf(chunk: Chunk): Buffer {
  return chunk instanceof SharedFrames ? chunk.buffer : chunk;
}
