import type { ErrorCode } from '@wss/protocol';

/** The HTTP status of each error code. */
export const HTTP_STATUS = {
  bad_frame: 400,
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  unknown_event: 404,
  conflict: 409,
  limit: 409,
  out_of_order: 409,
  session_expired: 410,
  too_large: 413,
  number_reused: 422,
  rejected: 422,
  rate_limited: 429,
  internal: 500,
  unavailable: 503,
  unknown_outcome: 504,
} as const satisfies Readonly<Record<ErrorCode, number>>;
