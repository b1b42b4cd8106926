import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type CloseCode, encodeEvent, REFUSALS_SUBPROTOCOL } from '@wss/protocol';
import { WebSocketServer } from 'ws';
import { subprotocolsOf } from './greeting.js';
import type { UpgradeRefusal } from '../ports/ports.js';
import { LastFrames } from '../reading/last-frames.js';

/** Longest reason in a close frame, bytes: the payload of a control frame without the code. */
const MAX_REASON_BYTES = 123;

/** Close codes of refusals. */
const CLOSE_CODES: Readonly<Partial<Record<number, CloseCode>>> = {
  400: 4900,
  401: 4901,
  403: 4903,
  404: 4904,
  429: 4429,
  503: 1013,
};

/** Server of sockets that only live to give the reason of a refusal; a client that does not answer is cut. */
// `closeTimeout` is newer than the published types.
const refusing = new WebSocketServer({
  ...{ noServer: true, clientTracking: false, maxPayload: 1_024, closeTimeout: 2_000 },
  handleProtocols: () => REFUSALS_SUBPROTOCOL,
});

/** Most sockets at a time that live to give a reason: a flood of refusals is answered by HTTP. */
const MOST_CLOSING = 1_024;

let closing = 0;

/**
 * Refuses an upgrade request: with a WebSocket that is closed with the reason if the client asks for that, since
 * browsers hide the HTTP status from their pages; else with a complete HTTP response.
 */
export function refuseUpgrade(request: IncomingMessage, refusal: UpgradeRefusal): void {
  const code = codeOf(refusal.status);
  if (
    code !== undefined &&
    closing < MOST_CLOSING &&
    subprotocolsOf(request).includes(REFUSALS_SUBPROTOCOL)
  ) {
    refuseByClosing(request, refusal, code);
  } else respond(request.socket, refusal);
}

/** A status without a code of its own is a refusal for good, or one that passes. 405 comes from `ws` itself. */
function codeOf(status: number): CloseCode | undefined {
  if (status === 405) return undefined;
  return CLOSE_CODES[status] ?? (status >= 500 ? 1013 : 4903);
}

function refuseByClosing(
  request: IncomingMessage,
  { message, retryAfterS }: UpgradeRefusal,
  code: CloseCode,
): void {
  const { socket: stream } = request;
  refusing.handleUpgrade(request, stream, Buffer.alloc(0), (socket) => {
    LastFrames.of(socket, stream);
    closing++;
    socket.on('close', () => closing--);
    // Frames from a refused client do not matter, even if they break the protocol.
    socket.on('error', () => socket.terminate());
    const isPassing = code === 4429 || code === 1013;
    socket.send(encodeEvent('$notice', isPassing ? { reconnectInMs: retryAfterS * 1_000 } : {}));
    socket.close(code, closeReason(message));
  });
}

/** Returns as much of a text as a close frame takes, cut at the end of a character. */
function closeReason(text: string): Buffer {
  const bytes = Buffer.alloc(MAX_REASON_BYTES);
  return bytes.subarray(0, new TextEncoder().encodeInto(text, bytes).written);
}

/** Ends a socket with a complete HTTP response. */
export function respond(socket: Socket, { status, message, headers, retryAfterS }: UpgradeRefusal): void {
  const body = `${message}\n`;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers,
    ...(status === 503 || status === 429 ? [`Retry-After: ${retryAfterS}`] : []),
  ];
  socket.once('finish', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
