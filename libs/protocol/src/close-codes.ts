/** Reason for which the server closed a connection, and if the client should reconnect. */
export interface CloseCodeRow {
  /** Sent as the close reason: ASCII, at most 123 bytes. */
  readonly reason: string;
  /** True if the client should reconnect. */
  readonly reconnect: boolean;
}

/** The one table of close codes that the server sends. */
export const CLOSE_CODES = {
  1000: { reason: 'normal closure', reconnect: false },
  1001: { reason: 'going away', reconnect: true },
  1002: { reason: 'protocol error', reconnect: false },
  1003: { reason: 'unsupported data', reconnect: false },
  1007: { reason: 'invalid text encoding', reconnect: false },
  1008: { reason: 'policy violation', reconnect: false },
  1009: { reason: 'frame too large', reconnect: false },
  1011: { reason: 'internal error', reconnect: false },
  1012: { reason: 'service restart', reconnect: true },
  1013: { reason: 'try again later', reconnect: true },
  4401: { reason: 'token expired', reconnect: true },
  4402: { reason: 'disconnected by the application', reconnect: true },
  4408: { reason: 'slow consumer', reconnect: true },
  4409: { reason: 'heartbeat missed', reconnect: true },
  4429: { reason: 'too many connections', reconnect: true },
  4500: { reason: 'session taken over', reconnect: false },
  4501: { reason: 'revoked', reconnect: false },
  4502: { reason: 'protocol version not spoken', reconnect: false },
  4503: { reason: 'connected elsewhere', reconnect: false },
  4900: { reason: 'bad request', reconnect: false },
  4901: { reason: 'token missing or refused', reconnect: false },
  4903: { reason: 'not allowed to connect', reconnect: false },
  4904: { reason: 'no WebSocket here', reconnect: false },
} as const satisfies Record<number, CloseCodeRow>;

/** A close code of the table. */
export type CloseCode = keyof typeof CLOSE_CODES;

/**
 * Returns true if a client should reconnect after this close code. The number alone decides.
 *
 * Yes: no close frame at all (`undefined`), 1005, 1006, 1001, 1012, 1013, 4000–4499. No: every other code.
 */
export function mayReconnect(code: number | undefined): boolean {
  if (code === undefined || code === 1005 || code === 1006) return true;
  if (code === 1001 || code === 1012 || code === 1013) return true;
  return code >= 4000 && code <= 4499;
}
