import type { ErrorBody, ErrorCode, ErrorDetail } from '@wss/protocol';

/** What can go wrong on this side of the connection. */
export type ClientErrorCode =
  /** The connection was lost before the answer, and the command was not numbered: its outcome is unknown. */
  | 'disconnected'
  /** The client was closed. */
  | 'closed'
  /** No answer came in time. */
  | 'timeout'
  /** Too many commands wait for a connection. */
  | 'queue_full'
  /** The server does not speak this version of the protocol, or is no such server. */
  | 'version'
  /** The URL is none that a WebSocket can use. */
  | 'bad_url'
  /** The server refused the connection, or closed it for good. */
  | 'refused'
  /** The server sent something that is not in the protocol. */
  | 'bad_server_frame';

/** Everything that this client reports as failed; `code` tells what to do. */
export class WssError extends Error {
  readonly details?: readonly ErrorDetail[];

  constructor(
    readonly code: ErrorCode | ClientErrorCode,
    message: string,
    /** Whether the same command may succeed when it is sent again. */
    readonly retry = false,
    details?: readonly ErrorDetail[],
  ) {
    super(message);
    this.name = 'WssError';
    if (details) this.details = details;
  }
}

export function fromBody({ code, message, retry, details }: ErrorBody): WssError {
  return new WssError(code, message, retry, details);
}
