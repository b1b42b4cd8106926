/** Which room's events frames hold, and what a client has seen of the room before them. */
export interface FramesOrigin {
  readonly room: string;
  /** Epoch and number of the last event before these frames; absent for volatile events, which may be dropped. */
  readonly after?: { readonly epoch: string; readonly seq: number };
}

/** Nothing is added to frames that have this many bytes: what a slow client has too much of is dropped by such pieces. */
const FULL_BYTES = 131_072;

/**
 * Frames that many sockets get in one turn of the event loop. They are joined once, and every socket writes the
 * same buffer.
 */
export class SharedFrames {
  /** Bytes of all frames. */
  size = 0;
  private frames: Buffer[] = [];
  private joined?: Buffer;

  /** @param origin tells what may be dropped or sent again later; absent: neither. */
  constructor(readonly origin?: FramesOrigin) {}

  /**
   * Adds a frame.
   * @throws Error after the first use of {@link buffer}: some socket has written the buffer without this frame
   */
  add(frame: Buffer): void {
    if (this.joined) throw new Error('shared frames were added to after they had been written');
    this.frames.push(frame);
    this.size += frame.length;
  }

  /** All frames, one after another. Nothing can be added afterwards. */
  get buffer(): Buffer {
    if (!this.joined) {
      this.joined = this.frames.length === 1 ? this.frames[0]! : Buffer.concat(this.frames);
      this.frames = [];
    }
    return this.joined;
  }

  /** True while frames may still be added. */
  get open(): boolean {
    return this.joined === undefined && this.size < FULL_BYTES;
  }
}
