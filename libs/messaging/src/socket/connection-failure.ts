import { IntrinsicException, Logger } from '@nestjs/common';
import { WsException } from '@nestjs/websockets';
import { kindOf, LogGate, stackOf } from '@wss/protocol';
import type { ClientSocket } from './client-socket.js';

const logger = new Logger('Connections');
/** Gates by server and path: another application in this process has its own. */
const gates = new WeakMap<object, LogGate>();

/** Tells one client that its connection could not be set up, and closes it (1011). */
export function failConnection(where: string, client: ClientSocket, error: unknown): void {
  client.dropFrames();
  // An exception that a gateway throws on purpose is for the client; everything else is a bug.
  if (!(error instanceof WsException || error instanceof IntrinsicException)) {
    const line = `handleConnection of ${where} failed for client ${client.id}: ${stackOf(error)}`;
    reportFault(client, `${where} ${kindOf(error)}`, line);
  }
  if (client.readyState === client.OPEN) {
    client.send(JSON.stringify({ event: 'exception', data: exceptionOf(error) }));
  }
  client.closeWith(1011);
}

/** Logs a fault of a path's clients, see {@link LogGate}. */
export function reportFault({ pathContext }: ClientSocket, kind: string, line: string): void {
  const gate = gates.get(pathContext) ?? new LogGate((text) => logger.error(text));
  gates.set(pathContext, gate);
  gate.report(kind, line);
}

/** The answer of Nest's filter to a message. */
function exceptionOf(error: unknown): unknown {
  const result = error instanceof WsException ? error.getError() : 'Internal server error';
  if (typeof result === 'object' && result !== null) return result;
  return { status: 'error', message: result, cause: { pattern: 'handleConnection' } };
}
