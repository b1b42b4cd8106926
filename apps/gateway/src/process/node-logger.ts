import { ConsoleLogger, type LogLevel } from '@nestjs/common';
import type { Config } from '../config.js';

/** What Nest makes a JSON line of. */
interface LineOptions {
  context: string;
  logLevel: LogLevel;
  writeStreamType?: 'stdout' | 'stderr';
  errorStack?: unknown;
}

/** A JSON line. */
interface Line {
  level: LogLevel;
  pid: number;
  timestamp: number;
  message: unknown;
  nodeId?: string;
  clientId?: string;
  [key: string]: unknown;
}

/**
 * The log of a node: lines for people, or JSON lines that name the node, and the client where a line is about one.
 * Nothing that a client sent is ever logged.
 */
export class NodeLogger extends ConsoleLogger {
  private readonly clientPattern: RegExp;

  constructor(
    { LOG_FORMAT, NODE_ENV }: Config,
    private readonly nodeId: string,
  ) {
    super({ json: (LOG_FORMAT ?? (NODE_ENV === 'production' ? 'json' : 'text')) === 'json' });
    // A client's id begins with that of its node, which is random.
    this.clientPattern = new RegExp(`\\b${nodeId}\\.[0-9a-z]+\\b`);
  }

  /** Nest logs that the port is taken, and throws it as well; who starts the node tells it once. */
  override error(message: unknown, ...rest: string[]): void {
    const isTold =
      rest.at(-1) === 'NestApplication' && String(message).startsWith('Error: listen EADDRINUSE');
    if (!isTold) super.error(message, ...rest);
  }

  protected override getJsonLogObject(message: unknown, options: LineOptions): Line {
    const line: Line = { ...super.getJsonLogObject(message, options), nodeId: this.nodeId };
    const clientId = typeof message === 'string' && this.clientPattern.exec(message)?.[0];
    return clientId ? { ...line, clientId } : line;
  }
}
