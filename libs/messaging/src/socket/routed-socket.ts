import { WebSocket } from 'ws';

/** Where a socket keeps its client. Every name is free for the gateways of its path, so it has none. */
export const CLIENT = Symbol('client');

/** The part of a client that decides what its socket sends. */
export interface SocketSender {
  send(...args: unknown[]): void;
  close(code?: number, reason?: string | Buffer): void;
  /** Its socket is read again. */
  resumed(): void;
}

/**
 * The WebSocket of a client of the router, as native gateways on the same path see it. All that they send goes through
 * the client's queue, so that frames keep their order; nothing that they set on it changes the client.
 */
export class RoutedSocket<T extends SocketSender = SocketSender> extends WebSocket {
  declare [CLIENT]?: T;

  override send(...args: unknown[]): void {
    if (this[CLIENT]) this[CLIENT].send(...args);
    else (super.send as (...all: unknown[]) => void)(...args);
  }

  override close(code?: number, reason?: string | Buffer): void {
    if (this[CLIENT]) this[CLIENT].close(code, reason);
    else super.close(code, reason);
  }

  override resume(): void {
    super.resume();
    this[CLIENT]?.resumed();
  }
}
