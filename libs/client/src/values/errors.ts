import type { ErrorBody, ErrorCode, ErrorDetail } from '@wss/protocol';

/** Failures on this side of the connection, each with its remedy. */
export type ClientErrorCode =
  /** The connection was lost before the answer, and the command is not sent again: check if it took effect. */
  | 'disconnected'
  /** The client was closed, or the room left: make a new client, or join again. */
  | 'closed'
  /** No answer to the sent command came in time: it may still be done. */
  | 'timeout'
  /** There was no time to send it: it was not done and will not be. */
  | 'not_sent'
  /** Too many commands wait to be sent: wait for some of them. */
  | 'queue_full'
  /** The server speaks another version of the protocol, or is not a wss server: update one of them. */
  | 'version'
  /** The URL is not one of a WebSocket, or no server serves WebSockets there: correct it. */
  | 'bad_url'
  /** The server can't use this request, e.g. the name of the user in the URL; the message says why. */
  | 'bad_request'
  /** Nobody can be reached, for reasons that a browser does not tell; the client goes on trying. */
  | 'unreachable'
  /** The callback that fetches tokens failed or did not answer; the client goes on trying. */
  | 'no_token'
  /** The token is longer than any server takes: issue a shorter one. */
  | 'bad_token'
  /** The server closed the connection for good; the message says why. */
  | 'refused'
  /** The server sent a frame that breaks the protocol: report it to its operators. */
  | 'bad_server_frame';

/** Every failure that this client reports; `code` decides what to do. */
export class WssError extends Error {
  constructor(
    readonly code: ErrorCode | ClientErrorCode,
    message: string,
    /** True if the same call may succeed later. */
    readonly retry = false,
    /** The rules that the data broke, if the server names them. */
    readonly details?: readonly ErrorDetail[],
  ) {
    super(message);
    this.name = 'WssError';
  }
}

/** @internal */
export function fromBody({ code, message, retry, details }: ErrorBody): WssError {
  return new WssError(code, message, retry, details);
}
