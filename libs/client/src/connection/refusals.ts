import type { ErrorCode } from '@wss/protocol';
import { type ClientErrorCode, WssError } from '../values/errors.js';

type Refusal = readonly [code: ClientErrorCode | ErrorCode, message: string, retry?: boolean];

/** Error code and message for each HTTP status of a refused upgrade. */
const REFUSALS: Readonly<Record<number, Refusal>> = {
  400: ['bad_request', 'correct the URL'],
  401: ['unauthenticated', 'token refused'],
  403: ['forbidden', 'refused'],
  404: ['bad_url', 'correct the URL'],
  429: ['rate_limited', 'try again', true],
  431: ['too_large', 'too large'],
  503: ['unavailable', 'try again', true],
};

/**
 * The error of a refused upgrade; undefined if the status has no meaning.
 * @internal
 */
export function refusalOf(status: number, reason?: string): WssError | undefined {
  const found = REFUSALS[status >= 200 && status < 400 ? 404 : status];
  if (!found) return undefined;
  const [code, message, retry] = found;
  return new WssError(code, reason || message, retry);
}

/**
 * The HTTP status that a close code stands for, where the server answers a refused upgrade with a WebSocket.
 * @internal
 */
export function statusOfClose(code: number): number {
  if (code === 1013) return 503;
  if (code === 4429) return 429;
  return code >= 4_900 ? code - 4_500 : 0;
}

/** @internal */
export const otherServer = (code: ClientErrorCode = 'version', retry?: boolean): WssError =>
  new WssError(code, 'no wss.v1', retry);
