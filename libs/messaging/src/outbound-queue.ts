import type { Duplex } from 'node:stream';
import type { Flusher } from './flusher.js';
import { SharedFrames } from './shared-frames.js';

/** A client that has this much unread is a slow consumer, bytes. */
export const MAX_OUTBOUND_BYTES = 1_048_576;

/** More than this in the socket's own buffer keeps frames in the queue, where replies can overtake, bytes. */
const SOCKET_HIGH_WATER = 65_536;

type Chunk = Buffer | SharedFrames;

const NONE: never[] = [];

/** What waits to be written to one socket. Replies and control overtake what rooms send. */
export class OutboundQueue {
  // Idle queues share one empty array, so that an idle client costs nothing here.
  private urgent: Chunk[] = NONE;
  private bulk: Chunk[] = NONE;
  private dirty = false;
  private waiting = false;
  /** How many chunks of each list `queuedBytes` has seen. */
  private counted = { urgent: 0, bulk: 0 };
  private queuedBytes = 0;

  constructor(
    private readonly socket: Duplex,
    private readonly flusher: Flusher,
    /** Called, at most once per flush, when the client has more than {@link MAX_OUTBOUND_BYTES} unread. */
    private readonly onOverflow: () => void,
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

  /** Writes what is queued, if the socket takes it; else when it has drained. */
  flush(): void {
    this.dirty = false;
    if (this.socket.destroyed || this.socket.writableEnded) return this.clear();
    if (this.socket.writableLength > SOCKET_HIGH_WATER) return this.wait();
    const { urgent, bulk } = this;
    this.clear();
    if (urgent.length + bulk.length === 1) {
      this.socket.write(bufferOf((urgent[0] ?? bulk[0])!));
    } else if (urgent.length + bulk.length > 1) {
      // One system call for all of them.
      this.socket.cork();
      for (const chunk of urgent) this.socket.write(bufferOf(chunk));
      for (const chunk of bulk) this.socket.write(bufferOf(chunk));
      this.socket.uncork();
    }
  }

  /** Drops what is queued. */
  clear(): void {
    this.urgent = NONE;
    this.bulk = NONE;
    if (this.queuedBytes === 0) return;
    this.counted = { urgent: 0, bulk: 0 };
    this.queuedBytes = 0;
  }

  private touch(): void {
    if (this.dirty) return;
    this.dirty = true;
    this.flusher.add(this);
  }

  private wait(): void {
    this.count('urgent');
    this.count('bulk');
    if (this.socket.writableLength + this.queuedBytes > MAX_OUTBOUND_BYTES) {
      this.clear();
      this.onOverflow();
    } else if (!this.waiting) {
      this.waiting = true;
      this.socket.once('drain', () => {
        this.waiting = false;
        this.flush();
      });
    }
  }

  private count(list: 'urgent' | 'bulk'): void {
    for (const chunk of this[list].slice(this.counted[list])) this.queuedBytes += bufferOf(chunk).length;
    this.counted[list] = this[list].length;
  }
}

function bufferOf(chunk: Chunk): Buffer {
  return chunk instanceof SharedFrames ? chunk.buffer : chunk;
}
