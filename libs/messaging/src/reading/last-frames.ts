import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { type Pace, PacedReceiver } from './paced-receiver.js';

/** The most frames of a connection that is being ended; a client may have sent some before it knows. */
const MOST_FRAMES = 32;

/**
 * Reads some frames of a connection that is being ended, and cuts it if more come: the answer to the close frame may be
 * behind what was sent before it, but a flood must cost nobody anything.
 */
export class LastFrames implements Pace {
  private left = MOST_FRAMES;
  private readonly receiver: PacedReceiver | undefined;

  /** Lets it end so. */
  static of(socket: WebSocket, stream: Duplex): LastFrames {
    return new LastFrames(socket, stream);
  }

  private constructor(
    socket: WebSocket,
    private readonly stream: Duplex,
  ) {
    this.receiver = PacedReceiver.of(socket, stream, this);
  }

  takes(): boolean {
    if (this.left-- > 0) return true;
    // `ws` hears of the end first, and then waits for what it has not parsed.
    this.stream.once('close', () => this.receiver!.drop()).destroy();
    return false;
  }
}
