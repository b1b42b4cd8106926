import { ConsoleLogger, type LogLevel } from '@nestjs/common';
import { kindOf, LogGate, stackOf } from '@wss/protocol';
import type { Config } from '../config.js';

/** Contexts in which Nest logs unexpected errors of handlers of gateways, microservices and HTTP. */
const HANDLER_CONTEXTS: ReadonlySet<string> = new Set([
  'WsExceptionsHandler',
  'RpcExceptionsHandler',
  'ExceptionsHandler',
]);

/** The parts from which Nest makes a JSON line. */
interface LineOptions {
  context: string;
  logLevel: LogLevel;
  writeStreamType?: 'stdout' | 'stderr';
  errorStack?: unknown;
}

/** A JSON line. */
interface LogLine {
  level: LogLevel;
  pid: number;
  timestamp: number;
  message: unknown;
  nodeId?: string;
  clientId?: string;
  [key: string]: unknown;
}

/** Levels that a node writes in production. */
const PRODUCTION_LEVELS: LogLevel[] = ['log', 'warn', 'error', 'fatal'];

/**
 * The log of a node: lines for people, or JSON lines that name the node, and the client if a line is about one. Data
 * from clients is never logged.
 */
export class NodeLogger extends ConsoleLogger {
  private readonly clientPattern: RegExp;
  private readonly gates = new Map<string, LogGate>();

  constructor(
    { LOG_FORMAT, NODE_ENV }: Config,
    private readonly nodeId: string,
  ) {
    const inProduction = NODE_ENV === 'production';
    super({
      json: (LOG_FORMAT ?? (inProduction ? 'json' : 'text')) === 'json',
      // Debug lines tell every try, so an outage would fill the log with them.
      ...(inProduction && { logLevels: PRODUCTION_LEVELS }),
    });
    // A client's id begins with that of its node, which is random.
    this.clientPattern = new RegExp(`\\b${nodeId}\\.[0-9a-z]+\\b`);
  }

  /** Nest logs a handler's bug at every message that triggers it. */
  private gateOf(context: string): LogGate {
    const gate = this.gates.get(context) ?? new LogGate((line) => super.error(line, context));
    this.gates.set(context, gate);
    return gate;
  }

  /** Nest logs the failure of a start, and throws it too; `runNode` reports it once. */
  override error(message: unknown, ...rest: string[]): void {
    const context = rest.at(-1) ?? '';
    const isTaken = context === 'NestApplication' && String(message).startsWith('Error: listen EADDRINUSE');
    if (isTaken || context === 'ExceptionHandler') return;
    if (HANDLER_CONTEXTS.has(context)) this.gateOf(context).report(kindOf(message), stackOf(message));
    else super.error(message, ...rest);
  }

  protected override getJsonLogObject(message: unknown, options: LineOptions): LogLine {
    const line: LogLine = { ...super.getJsonLogObject(message, options), nodeId: this.nodeId };
    const clientId = typeof message === 'string' && this.clientPattern.exec(message)?.[0];
    return clientId ? { ...line, clientId } : line;
  }
}
