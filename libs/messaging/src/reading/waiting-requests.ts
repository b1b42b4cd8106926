import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** The most requests of a connection that may wait for their answers: they are taken in one turn of the event loop. */
const MOST_REQUESTS = 64;

/**
 * Counts the requests of each connection of an HTTP server that have no complete answer yet, and cuts a connection that
 * sends more without waiting. Node hands on all requests of one piece of TCP, and of many pieces, in one turn: thousands of
 * them would hold up everybody else for seconds.
 */
export class WaitingRequests {
  private readonly counts = new WeakMap<Socket, number>();

  /** @param onCut called with each connection that is cut */
  constructor(private readonly onCut: () => void) {}

  /** Counts from now on; returns what leaves the server as it was. */
  watch(server: Server): () => void {
    const { emit } = server;
    const own = (event: string, ...args: unknown[]): boolean => {
      if (event === 'request' && !this.takes(...(args as [IncomingMessage, ServerResponse]))) return true;
      return (emit as (...all: unknown[]) => boolean).call(server, event, ...args);
    };
    server.emit = own as Server['emit'];
    return () => {
      // Somebody may have put their own on top of it.
      if (server.emit === (own as Server['emit'])) server.emit = emit;
    };
  }

  private takes({ socket }: IncomingMessage, response: ServerResponse): boolean {
    const count = this.counts.get(socket) ?? 0;
    if (count >= MOST_REQUESTS) {
      // The rest of what has come is still parsed, and costs little.
      if (!socket.destroyed) this.onCut();
      socket.destroy();
      return false;
    }
    this.counts.set(socket, count + 1);
    response.once('close', () => this.counts.set(socket, this.counts.get(socket)! - 1));
    return true;
  }
}
