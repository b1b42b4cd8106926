import type { ErrorBody, ErrorCode, ErrorDetail } from '@wss/protocol';

/** What can go wrong on this side of the connection; what to do about it stands with each. */
export type ClientErrorCode =
  /** The connection was lost before the answer, and the command was not numbered: look whether it was done. */
  | 'disconnected'
  /** The client was closed, or the room left: make a new client, or join again. */
  | 'closed'
  /** No answer came in time: it may still be done. */
  | 'timeout'
  /** Too many commands wait to be sent: wait for some of them. */
  | 'queue_full'
  /** The server speaks another version of the protocol, or is no such server: update one of them. */
  | 'version'
  /** The URL is none that a WebSocket can use, or nobody serves WebSockets there: correct it. */
  | 'bad_url'
  /** Nobody can be reached, for reasons that a browser does not tell; the client goes on trying. */
  | 'unreachable'
  /** The callback that fetches tokens failed; the client goes on trying. */
  | 'no_token'
  /** The server closed the connection for good; the message says why. */
  | 'refused'
  /** The server sent something that is not in the protocol: report it to those who run it. */
  | 'bad_server_frame';

/** Everything that this client reports as failed; `code` tells what to do. */
export class WssError extends Error {
  /** Which rules the data broke, where the server says so. */
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

/** @internal */
export function fromBody({ code, message, retry, details }: ErrorBody): WssError {
  return new WssError(code, message, retry, details);
}
