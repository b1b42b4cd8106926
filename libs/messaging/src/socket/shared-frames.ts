/** The room of some frames, and the position that a client has seen before them. */
export interface FramesOrigin {
  readonly room: string;
  /** Epoch and number of the last event before these frames; absent for volatile events, which may be dropped. */
  readonly after?: { readonly epoch: string; readonly seq: number };
}

/** No frame is added beyond this many bytes, because a slow client's frames are dropped in such pieces. */
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

  /** @param origin allows the frames to be dropped or sent again later; absent: neither. */
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
