import { IntrinsicException, Logger } from '@nestjs/common';
import { WsException } from '@nestjs/websockets';
import { CLOSE_CODES, kindOf, LogGate, stackOf } from '@wss/protocol';
import type { WebSocket } from 'ws';

/** State that the clients of one path have in common for their gateways. */
export interface GatewayPath {
  /** Disconnect hooks under way; the close of the server waits for them. */
  readonly cleanUps: Set<Promise<unknown>>;
}

/** A client as the hooks of gateways need it. */
export interface GatewayClient {
  /** Names it in the log. */
  readonly id: string;
  readonly socket: WebSocket;
  readonly pathContext: GatewayPath;
  /** Lets frames wait until this is done. */
  holdUntil(done: Promise<unknown>): void;
  /** Drops frames that were kept back, and all later ones. */
  dropFrames(): void;
}

const logger = new Logger('Connections');
/** Gates by server and path: another application in this process has its own. */
const gates = new WeakMap<object, LogGate>();

/** Tells one client that its connection could not be set up, and closes it (1011). */
export function failConnection(where: string, client: GatewayClient, error: unknown): void {
  client.dropFrames();
  // An exception that a gateway throws on purpose is for the client; everything else is a bug.
  if (!(error instanceof WsException || error instanceof IntrinsicException)) {
    const line = `handleConnection of ${where} failed for client ${client.id}: ${stackOf(error)}`;
    reportFault(client, `${where} ${kindOf(error)}`, line);
  }
  const { socket } = client;
  if (socket.readyState === socket.OPEN) socket.send(exceptionText(where, client, error));
  socket.close(1011, CLOSE_CODES[1011].reason);
}

/** Logs a fault of a path's clients, see {@link LogGate}. */
export function reportFault(
  { pathContext }: Pick<GatewayClient, 'pathContext'>,
  kind: string,
  line: string,
): void {
  const gate = gates.get(pathContext) ?? new LogGate((text) => logger.error(text));
  gates.set(pathContext, gate);
  gate.report(kind, line);
}

/** Returns the frame that tells the error; JSON can't hold everything that a gateway may throw. */
function exceptionText(where: string, client: GatewayClient, error: unknown): string {
  try {
    return JSON.stringify({ event: 'exception', data: exceptionOf(error) });
  } catch (cause) {
    reportFault(
      client,
      `${where} answer`,
      `handleConnection of ${where} threw what JSON can't hold: ${stackOf(cause)}`,
    );
    return JSON.stringify({ event: 'exception', data: exceptionOf(undefined) });
  }
}

/** The answer of Nest's filter to a message. */
function exceptionOf(error: unknown): unknown {
  const result = error instanceof WsException ? error.getError() : 'Internal server error';
  if (typeof result === 'object' && result !== null) return result;
  return { status: 'error', message: result, cause: { pattern: 'handleConnection' } };
}
