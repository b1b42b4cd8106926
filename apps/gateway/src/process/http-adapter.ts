import { createServer, type Server } from 'node:net';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { LISTEN_BACKLOG } from '@wss/messaging';

/** Errors that mean that this machine has no such address. */
const ABSENT = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT']);

/**
 * Fastify, with a backlog for all clients of a lost node that connect at once, and with a second address if one is
 * asked for.
 */
export class HttpAdapter extends FastifyAdapter {
  private second?: Server;

  override listen(port: string | number, hostname?: string | (() => void), callback?: () => void): void {
    const done = typeof hostname === 'function' ? hostname : callback;
    const host = typeof hostname === 'string' ? { host: hostname } : {};
    this.getInstance().listen(
      { port: Number(port), ...host, backlog: LISTEN_BACKLOG },
      done ?? (() => undefined),
    );
  }

  /**
   * Listens on another address, too. Its connections are the server's own.
   * @returns false if this machine has no such address
   * @throws Error when the port is taken there
   */
  async listenToo(port: number, host: string): Promise<boolean> {
    const http = this.getHttpServer() as Server;
    // As a server of HTTP makes them.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      http.emit('connection', socket),
    );
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen({ port, host, backlog: LISTEN_BACKLOG }, resolve);
      });
    } catch (error) {
      if (ABSENT.has((error as NodeJS.ErrnoException).code!)) return false;
      throw error;
    }
    this.second = server;
    return true;
  }

  override close(): Promise<void> {
    // Connections that have come are closed with the server's own.
    this.second?.close();
    return super.close();
  }
}
