import { type IncomingMessage, STATUS_CODES } from 'node:http';
import { type CloseCode, encodeEvent, REFUSALS_SUBPROTOCOL } from '@wss/protocol';
import { WebSocketServer } from 'ws';
import { subprotocolsOf } from './greeting.js';
import type { UpgradeRefusal } from '../ports/ports.js';

/** When who was refused for a reason that passes may come back, s. */
const RETRY_AFTER_S = 1;

/** Most bytes of a reason in a close frame: what a control frame takes, less the code. */
const MAX_REASON_BYTES = 123;

/** How a WebSocket tells of a refusal. */
const CLOSE_CODES: Readonly<Partial<Record<UpgradeRefusal['status'], CloseCode>>> = {
  400: 4900,
  401: 4901,
  403: 4903,
  404: 4904,
  429: 4429,
  503: 1013,
};

/** Sockets that live as long as it takes to say why they are refused; a client that does not answer is cut. */
// `closeTimeout` is newer than the published types.
const refusing = new WebSocketServer({
  ...{ noServer: true, clientTracking: false, maxPayload: 1_024, closeTimeout: 2_000 },
  handleProtocols: () => REFUSALS_SUBPROTOCOL,
});

/**
 * Refuses an upgrade request: with a WebSocket that is closed with the reason where the client asks for that, for
 * browsers hide the HTTP status from their pages; else with a complete HTTP response.
 */
export function refuseUpgrade(request: IncomingMessage, refusal: UpgradeRefusal): void {
  const code = CLOSE_CODES[refusal.status];
  if (code !== undefined && subprotocolsOf(request).includes(REFUSALS_SUBPROTOCOL)) {
    refuseByClosing(request, refusal, code);
  } else respond(request, refusal);
}

function refuseByClosing(request: IncomingMessage, { message }: UpgradeRefusal, code: CloseCode): void {
  refusing.handleUpgrade(request, request.socket, Buffer.alloc(0), (socket) => {
    // Whatever a refused client sends does not matter, even if it breaks the protocol.
    socket.on('error', () => socket.terminate());
    const isPassing = code === 4429 || code === 1013;
    socket.send(encodeEvent('$notice', isPassing ? { reconnectInMs: RETRY_AFTER_S * 1_000 } : {}));
    socket.close(code, closeReason(message));
  });
}

/** As much of a text as a close frame takes, cut at the end of a character. */
export function closeReason(text: string): Buffer {
  const bytes = Buffer.alloc(MAX_REASON_BYTES);
  return bytes.subarray(0, new TextEncoder().encodeInto(text, bytes).written);
}

function respond({ socket }: IncomingMessage, { status, message, headers }: UpgradeRefusal): void {
  const body = `${message}\n`;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers,
    ...(status === 503 || status === 429 ? [`Retry-After: ${RETRY_AFTER_S}`] : []),
  ];
  socket.once('finish', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
