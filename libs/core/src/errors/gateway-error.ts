import { HttpException, IntrinsicException } from '@nestjs/common';
import { WsException } from '@nestjs/websockets';
import {
  ERROR_CODES,
  type ErrorBody,
  type ErrorCode,
  type ErrorDetail,
  FrameError,
  isErrorCode,
} from '@wss/protocol';
import { HTTP_STATUS } from './http-status.js';

/** The facts that a {@link GatewayError} may carry besides code and message. */
export interface GatewayErrorOptions {
  /** The broken rules, or what was expected. Never holds a value from a client. */
  readonly details?: readonly ErrorDetail[];
  /** For the log; clients never see it. */
  readonly cause?: unknown;
  /** With `unknown_outcome`: it took effect; only its durability is unknown. */
  readonly applied?: boolean;
  /**
   * True if it is not recorded, whatever its code: the engine failed to carry out the command, and its number stays
   * next (R35).
   */
  readonly unrecorded?: boolean;
}

/**
 * A failure that the client is told about. Every other error reaches the client as `internal`.
 *
 * Thrown for an HTTP request, it is answered with the status of its code and its message, because it has the shape that
 * Nest, Express and Fastify know from the package `http-errors`. `GatewayErrorFilter` answers with its form on the
 * wire, and logs the cause of an `internal` one.
 */
export class GatewayError extends IntrinsicException {
  readonly details?: readonly ErrorDetail[];
  readonly applied?: boolean;
  readonly unrecorded?: boolean;

  constructor(
    /** The code decides, by the table of error codes, if a retry may help and if `n` is used up. */
    readonly code: ErrorCode,
    message: string,
    options: GatewayErrorOptions = {},
  ) {
    super(message);
    this.name = 'GatewayError';
    if (options.details) this.details = options.details;
    if (options.cause !== undefined) this.cause = options.cause;
    if (options.applied) this.applied = true;
    if (options.unrecorded) this.unrecorded = true;
  }

  /** The HTTP status of its code. */
  get status(): number {
    return HTTP_STATUS[this.code];
  }

  get statusCode(): number {
    return this.status;
  }

  /** True if an HTTP client may see the message: it was written for the client, unless the server failed. */
  get expose(): boolean {
    return this.code !== 'internal';
  }

  /** Returns the error in its form on the wire. */
  toBody(): ErrorBody {
    const { code, message, details, applied } = this;
    const { retry } = ERROR_CODES[code];
    return { code, message, ...(details && { details }), retry, ...(applied && { applied }) };
  }
}

/**
 * Turns any thrown value into the error that the client gets.
 *
 * `GatewayError` stays; Nest's `HttpException` and `WsException` keep their message, because a developer
 * wrote it for the client; anything else becomes `internal` with the original as its cause.
 */
export function toGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  if (error instanceof FrameError) return new GatewayError(error.code, error.message);
  if (error instanceof HttpException) return fromHttp(error);
  if (error instanceof WsException) return fromWs(error);
  return new GatewayError('internal', 'internal error', { cause: error });
}

const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  413: 'too_large',
  422: 'invalid',
  429: 'rate_limited',
  503: 'unavailable',
};

function fromHttp(error: HttpException): GatewayError {
  const status = error.getStatus();
  const code = CODE_OF_STATUS[status] ?? (status < 500 ? 'rejected' : 'internal');
  if (code === 'internal') return new GatewayError(code, 'internal error', { cause: error });
  const response = error.getResponse() as { message?: unknown };
  if (!Array.isArray(response.message)) return new GatewayError(code, error.message);
  return new GatewayError(code, error.message, {
    details: response.message.map((message) => ({ message: String(message) })),
  });
}

function fromWs(error: WsException): GatewayError {
  const body = error.getError();
  if (typeof body === 'string') return new GatewayError('rejected', body);
  const { code, message } = (body ?? {}) as { code?: unknown; message?: unknown };
  return new GatewayError(
    isErrorCode(code) ? code : 'rejected',
    typeof message === 'string' ? message : error.message,
  );
}
