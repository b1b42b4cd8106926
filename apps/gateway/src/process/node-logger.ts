import { ConsoleLogger, type LogLevel } from '@nestjs/common';
import { kindOf, LogGate, stackOf } from '@wss/protocol';
import type { Config } from '../config.js';
import { wantsJson } from './json-output.js';
import type { NodeSummary } from './node-summary.js';

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

/** Contexts that tell the steps of a start, about thirty lines; what matters of them is in the summary. */
const START_CONTEXTS: ReadonlySet<string> = new Set([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'WebSocketsController',
  'NestMicroservice',
  'NestApplication',
  'Management',
]);

/** From the most important. */
const LEVELS: readonly LogLevel[] = ['fatal', 'error', 'warn', 'log', 'debug', 'verbose'];

/**
 * The log of a node: lines for people, or JSON lines that name the node, and the client if a line is about one. Data
 * from clients is never logged.
 */
export class NodeLogger extends ConsoleLogger {
  private readonly clientPattern: RegExp;
  private readonly gates = new Map<string, LogGate>();

  constructor(
    { LOG_FORMAT, LOG_LEVEL, NODE_ENV }: Config,
    private readonly nodeId: string,
  ) {
    const least = LOG_LEVEL === 'info' ? 'log' : LOG_LEVEL;
    super({
      json: wantsJson({ LOG_FORMAT, NODE_ENV }),
      logLevels: LEVELS.slice(0, LEVELS.indexOf(least) + 1),
    });
    // A client's id begins with that of its node, which is random.
    this.clientPattern = new RegExp(`\\b${nodeId}\\.[0-9a-z]+\\b`);
  }

  /** The steps of a start matter to somebody who looks for a fault in it. */
  override log(message: unknown, ...rest: unknown[]): void {
    const context = rest.at(-1);
    if (typeof context === 'string' && START_CONTEXTS.has(context)) this.debug(message, ...rest);
    else super.log(message, ...rest);
  }

  /**
   * Writes the last line of a start, whatever the level: a line for programs and people, with what the node says of
   * itself. As JSON it is all one line.
   */
  announce(line: string, summary?: NodeSummary): void {
    if (this.options.json) {
      const logLine = this.getJsonLogObject(line, { context: 'Node', logLevel: 'log' });
      process.stdout.write(`${JSON.stringify({ ...logLine, ...summary?.fields })}\n`);
    } else process.stdout.write(`${summary ? `${summary.text}\n` : ''}${line}\n`);
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
    const isDeaf = context === 'NestApplication' && /^Error: (listen|getaddrinfo) /.test(String(message));
    if (isDeaf || context === 'ExceptionHandler') return;
    if (HANDLER_CONTEXTS.has(context)) this.gateOf(context).report(kindOf(message), stackOf(message));
    else super.error(message, ...rest);
  }

  protected override getJsonLogObject(message: unknown, options: LineOptions): LogLine {
    const line: LogLine = { ...super.getJsonLogObject(message, options), nodeId: this.nodeId };
    const clientId = typeof message === 'string' && this.clientPattern.exec(message)?.[0];
    return clientId ? { ...line, clientId } : line;
  }
}
