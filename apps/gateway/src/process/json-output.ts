/** Fields that each line of this process has. */
interface OutputFields {
  nodeId?: string;
}

type Level = 'log' | 'warn' | 'error' | 'fatal';

/** True if the environment asks for JSON lines; one that is invalid decides as if `LOG_FORMAT` were not set. */
export function wantsJson({ LOG_FORMAT, NODE_ENV }: NodeJS.ProcessEnv): boolean {
  if (LOG_FORMAT === 'json' || LOG_FORMAT === 'text') return LOG_FORMAT === 'json';
  return NODE_ENV === 'production';
}

/**
 * Makes everything that this process writes lines of JSON, whoever writes it: what is none becomes the message of a
 * line. So do warnings of Node and the error that ends the process. This file imports nothing, as it comes before
 * everything that might write.
 */
export class JsonOutput {
  private readonly fields: OutputFields = {};

  constructor() {
    this.guard(process.stdout, 'log');
    this.guard(process.stderr, 'error');
    this.hearWarnings();
    process.on('uncaughtException', (error) => this.end(error));
  }

  /** Names the node in the lines from now on. */
  set nodeId(nodeId: string) {
    this.fields.nodeId = nodeId;
  }

  private guard(stream: NodeJS.WriteStream, level: Level): void {
    const write = stream.write.bind(stream) as (text: string, ...rest: unknown[]) => boolean;
    const guarded = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
      const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
      return write(isJson(text) ? text : this.lineOf(level, text.replace(/\n$/, '')), ...rest);
    };
    stream.write = guarded as typeof stream.write;
  }

  /** Node writes its warnings past the streams. */
  private hearWarnings(): void {
    const own = process.listeners('warning').find(({ name }) => name === 'onWarning');
    // Without a listener of its own, Node was told to be silent.
    if (!own) return;
    process.off('warning', own);
    process.on('warning', ({ name, message }) => {
      process.stderr.write(this.lineOf('warn', `${name}: ${message}`));
    });
  }

  private end(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(this.lineOf('fatal', `the process ends by an error that nothing caught: ${text}`));
    process.exit(1);
  }

  private lineOf(level: Level, message: string): string {
    const line = {
      level,
      pid: process.pid,
      timestamp: Date.now(),
      message,
      context: 'Process',
      ...this.fields,
    };
    return `${JSON.stringify(line)}\n`;
  }
}

/** True if all lines of a text are objects in JSON, and the last is complete. */
function isJson(text: string): boolean {
  return text.endsWith('\n') && text.slice(0, -1).split('\n').every(isObject);
}

function isObject(line: string): boolean {
  if (!line.startsWith('{') || !line.endsWith('}')) return false;
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}
