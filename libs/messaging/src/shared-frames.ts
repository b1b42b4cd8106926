/** Which room's events frames hold, and what a client has seen of the room before them. */
export interface FramesOrigin {
  readonly room: string;
  /** Epoch and number of the last event before these frames; absent for volatile events, which may be dropped. */
  readonly after?: { readonly epoch: string; readonly seq: number };
}

/**
 * Frames that many sockets get in one turn of the event loop. They are joined once, and every socket writes the
 * same buffer.
 */
export class SharedFrames {
  private frames: Buffer[] = [];
  private joined?: Buffer;

  /** @param origin tells what may be dropped or sent again later; absent: neither. */
  constructor(readonly origin?: FramesOrigin) {}

  /** Adds a frame; only before the first use of {@link buffer}. */
  add(frame: Buffer): void {
    this.frames.push(frame);
  }

  /** All frames, one after another. Nothing can be added afterwards. */
  get buffer(): Buffer {
    if (!this.joined) {
      this.joined = this.frames.length === 1 ? this.frames[0]! : Buffer.concat(this.frames);
      this.frames = [];
    }
    return this.joined;
  }

  /** Whether frames may still be added. */
  get open(): boolean {
    return this.joined === undefined;
  }
}
