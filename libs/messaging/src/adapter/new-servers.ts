import {
  type ServerOptions,
  type VerifyClientCallbackAsync,
  type VerifyClientCallbackSync,
  WebSocketServer,
} from 'ws';
import type { IncomingMessage } from 'node:http';
import { RESUME_PREFIX, SUBPROTOCOL, TOKEN64_PREFIX, TOKEN_PREFIX } from '@wss/protocol';
import { MAX_FRAGMENTS, MAX_FRAME_BYTES } from '../ports/limits.js';
import { RoutedSocket } from '../socket/routed-socket.js';

/** The server that a gateway asks for. */
export interface SocketServerRequest {
  /** Absent, on a port of its own: every path of the port. */
  readonly path?: string;
  /** True if the command router serves it. */
  readonly commands: boolean;
  readonly options: ServerOptions;
}

/** Default limits of the router's servers; a gateway's own options come after them. */
// The last ones are newer than the published types.
const LIMITS: ServerOptions & { maxFragments: number; maxBufferedChunks: number; closeTimeout: number } = {
  noServer: true,
  maxPayload: MAX_FRAME_BYTES,
  maxFragments: MAX_FRAGMENTS,
  maxBufferedChunks: MAX_FRAGMENTS,
  closeTimeout: 5_000,
};

/** Callbacks for the end of a handshake. */
export interface HandshakeEnd {
  onHandshake(request: IncomingMessage, accept: () => void): void;
  onRefused(status: number): void;
}

/** Callbacks for the check of a native gateway. */
export interface NativeHandshake {
  /** Called when the check refused the request. */
  onRefused(request: IncomingMessage, status: number): void;
  /** Called when a check that took its time has accepted the request; returns false if it was answered otherwise. */
  isStillOpen(request: IncomingMessage): boolean;
}

/** Makes a server of ordinary sockets with the options of its gateway, as Nest does. */
export function nativeServer({ options }: SocketServerRequest, handshake: NativeHandshake): WebSocketServer {
  const { host: _host, backlog: _backlog, verifyClient, ...others } = options;
  return new WebSocketServer({
    handleProtocols: firstProtocol,
    ...others,
    noServer: true,
    ...(verifyClient && { verifyClient: nativeVerifier(verifyClient, handshake) }),
  });
}

/** Runs a gateway's own check in the form that it has, so that what it accepts is accepted in the same turn or not. */
function nativeVerifier(
  own: NonNullable<ServerOptions['verifyClient']>,
  { onRefused, isStillOpen }: NativeHandshake,
): NonNullable<ServerOptions['verifyClient']> {
  if (own.length === 2) {
    return (info: Parameters<VerifyClientCallbackAsync>[0], done: Parameters<VerifyClientCallbackAsync>[1]) =>
      (own as VerifyClientCallbackAsync)(info, (isFit, status = 401, ...answer) => {
        if (isFit && !isStillOpen(info.req)) return;
        if (!isFit) onRefused(info.req, status);
        done(isFit, status, ...answer);
      });
  }
  return (info: Parameters<VerifyClientCallbackSync>[0]) => {
    const isFit = (own as VerifyClientCallbackSync)(info);
    if (!isFit) onRefused(info.req, 401);
    return isFit;
  };
}

/** Makes a server of the router, which decides on each request itself. */
export function routedServer({ options }: SocketServerRequest, end: HandshakeEnd): WebSocketServer {
  return new WebSocketServer({
    ...LIMITS,
    handleProtocols: sessionProtocol,
    ...options,
    // Closing the server must find its clients.
    clientTracking: true,
    // Pongs go through the client's queue; `ws` would write them to a client that never reads.
    autoPong: false,
    WebSocket: RoutedSocket,
    verifyClient: verifierOf(options.verifyClient, end),
  });
}

/**
 * First `ws` checks the handshake, then the gateway's own check runs, and admission last, so that a session is opened
 * only for a handshake that can be completed.
 */
function verifierOf(own: ServerOptions['verifyClient'], end: HandshakeEnd): VerifyClientCallbackAsync {
  return (info, done) => {
    const verified: typeof done = (isFit, status = 401, ...answer) => {
      if (isFit) return end.onHandshake(info.req, () => done(true));
      end.onRefused(status);
      done(false, status, ...answer);
    };
    if (!own) verified(true);
    // In the forms that `ws` knows.
    else if (own.length === 2) (own as VerifyClientCallbackAsync)(info, verified);
    else verified((own as VerifyClientCallbackSync)(info));
  };
}

// Tokens among the subprotocols are never echoed.
const sessionProtocol = (offered: Set<string>): string | false => offered.has(SUBPROTOCOL) && SUBPROTOCOL;

/** Prefixes of secrets. */
const SECRETS = [TOKEN_PREFIX, TOKEN64_PREFIX, RESUME_PREFIX];

/** The default of `ws`. */
const firstProtocol = (offered: Set<string>): string | false =>
  [...offered].find((name) => !SECRETS.some((prefix) => name.startsWith(prefix))) ?? false;
