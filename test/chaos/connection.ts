import type { ServerFrame } from '@wss/testing';
import { WebSocket } from 'ws';

/** One connection of a client to a node. */
export interface Connection {
  /** Sends a frame; nothing happens when the connection has ended. */
  send(frame: object): void;
  /** Ends at once, without a close frame, as a client does that lost its network. */
  terminate(): void;
}

/** Told what happens on a connection. */
export interface ConnectionListener {
  onFrame(frame: ServerFrame): void;
  /** Called once, when an open connection has ended, however. */
  onClose(code: number): void;
}

/** Connects to some node; with the token of a session to go on with it. Rejects when there is no connection. */
export type Dial = (listener: ConnectionListener, token: string | undefined) => Promise<Connection>;

const HANDSHAKE_MS = 2_000;

/** Connects to a gateway over a WebSocket. */
export function dialGateway(url: string, user: string): Dial {
  return (listener, token) => {
    const address = new URL(url);
    address.searchParams.set('user', user);
    const protocols = ['wss.v1', ...(token === undefined ? [] : [`wss.resume.${token}`])];
    const socket = new WebSocket(address, protocols, { handshakeTimeout: HANDSHAKE_MS });
    socket.on('message', (bytes: Buffer) => listener.onFrame(JSON.parse(String(bytes)) as ServerFrame));
    return new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.once('open', () => {
        socket.once('close', (code) => listener.onClose(code));
        resolve({
          send: (frame) => {
            if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
          },
          terminate: () => socket.terminate(),
        });
      });
    });
  };
}
