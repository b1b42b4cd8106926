import type { Socket } from 'node:net';
import { TcpDirection, type DirectionRules } from './tcp-direction.js';

/** The rules of both directions. */
export interface ConnectionRules {
  /** From the connecting side to the target. */
  readonly requests: DirectionRules;
  readonly replies: DirectionRules;
}

/** One connection through the proxy: two sockets and the rules of each direction. */
export class TcpConnection {
  private readonly requests: TcpDirection;
  private readonly replies: TcpDirection;
  /** How many of the two sockets still exist. */
  private open = 2;

  /** @param onGone is called once, when both sockets are gone */
  constructor(
    private readonly near: Socket,
    private readonly far: Socket,
    rules: ConnectionRules,
    private readonly onGone: () => void,
  ) {
    this.requests = new TcpDirection(near, far, rules.requests);
    this.replies = new TcpDirection(far, near, rules.replies);
    this.follow(near, this.requests);
    this.follow(far, this.replies);
  }

  /** True if it lost bytes of a direction that is not mute (any more). */
  get broken(): boolean {
    return this.requests.broken || this.replies.broken;
  }

  /** Ends both sides with a reset, as a peer does that crashed. */
  reset(): void {
    this.requests.close();
    this.replies.close();
    for (const socket of [this.near, this.far]) {
      if (socket.connecting || isEnding(socket)) socket.destroy();
      else if (!socket.destroyed) socket.resetAndDestroy();
    }
  }

  /** A side that breaks takes the other along, unless the direction in which that news would travel is mute. */
  private follow(socket: Socket, direction: TcpDirection): void {
    socket.once('error', () => {
      if (direction.reportsBreak()) this.reset();
    });
    socket.once('close', () => {
      this.open -= 1;
      if (this.open === 0) this.onGone();
    });
  }
}

/**
 * True while the end of the stream is on its way. Node can't reset such a socket: it would never be closed, and would
 * keep the process from ending.
 */
function isEnding({ writableEnded, writableFinished }: Socket): boolean {
  return writableEnded && !writableFinished;
}
