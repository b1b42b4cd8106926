import { FastifyAdapter } from '@nestjs/platform-fastify';
import { LISTEN_BACKLOG } from '@wss/messaging';

/** Fastify, with a backlog for all clients of a lost node that connect at once. */
export class HttpAdapter extends FastifyAdapter {
  override listen(port: string | number, hostname?: string | (() => void), callback?: () => void): void {
    const done = typeof hostname === 'function' ? hostname : callback;
    const host = typeof hostname === 'string' ? { host: hostname } : {};
    this.getInstance().listen(
      { port: Number(port), ...host, backlog: LISTEN_BACKLOG },
      done ?? (() => undefined),
    );
  }
}
