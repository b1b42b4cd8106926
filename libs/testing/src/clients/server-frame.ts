import type { ErrorBody, ErrorCode, RequestId } from '@wss/protocol';

/** A frame from the server, as it came: a reply has an `id`, an event has an `event`. */
export interface ServerFrame<Data = unknown> {
  readonly id?: RequestId;
  readonly event?: string;
  readonly room?: string;
  readonly seq?: number;
  readonly epoch?: string;
  readonly dup?: boolean;
  readonly applied?: boolean;
  readonly data?: Data;
  readonly error?: ErrorBody;
  readonly patch?: unknown;
  /**
   * The text of a frame that is not a JSON object, or the hex digits of a binary one; then no other property is set.
   */
  readonly malformed?: string;
}

/** A command was answered with an error. */
export class CommandFailed extends Error {
  /** The code in the table of error codes, e.g. `invalid`. */
  readonly code: ErrorCode;
  /** True if the same command may succeed later. */
  readonly retry: boolean;
  /** With `invalid`: the path and the rule of each broken rule. */
  readonly details: ErrorBody['details'];

  constructor(
    event: string,
    /** The error's body as it came. */
    readonly error: ErrorBody,
    /** The whole reply. */
    readonly reply: ServerFrame,
  ) {
    super(`${event} failed: ${error.code} (${error.message}) ${JSON.stringify(error.details ?? [])}`);
    this.name = 'CommandFailed';
    this.code = error.code;
    this.retry = error.retry;
    this.details = error.details;
  }
}

/** The server answered the upgrade with an HTTP response instead of a WebSocket. */
export class UpgradeRefused extends Error {
  constructor(
    /** The HTTP status, e.g. 401. */
    readonly status: number,
    /** The response's headers; their names are lower-case. */
    readonly headers: NodeJS.Dict<string | string[]>,
    readonly body: string,
  ) {
    super(`the upgrade was refused with ${status}: ${body.slice(0, 500)}`);
    this.name = 'UpgradeRefused';
  }
}

/** Reads a frame; never throws. */
export function parseServerFrame(bytes: Buffer, isBinary: boolean): ServerFrame {
  if (isBinary) return { malformed: bytes.toString('hex') };
  const text = bytes.toString();
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? value : { malformed: text };
  } catch {
    return { malformed: text };
  }
}
