/** A row of the error table: everything that a client can learn about a failure. */
export interface ErrorCodeRow {
  /** Description of the failure, for the person who reads the client's log. */
  readonly meaning: string;
  /** True if the command may succeed when sent again. With `n`: nothing is recorded and the same `n` stays next. */
  readonly retry: boolean;
  /** True if the error is recorded as the answer of a numbered command and uses up its `n`. */
  readonly consumesN: boolean;
}

/**
 * The one table of error codes. A code is never reused with another meaning.
 *
 * `forbidden`, `not_found` and `invalid` consume `n` only when a guard or handler raised them for a command that
 * counts; a command that is refused for its room (not a member, bad or undeclared name) does not count. `internal`
 * does not consume it when the engine failed to carry the command out (R35). Only the reply to a recorded error has a
 * position.
 */
export const ERROR_CODES = {
  bad_frame: {
    meaning: 'The frame is not a JSON object of the protocol, or its envelope is wrong.',
    retry: false,
    consumesN: false,
  },
  unknown_event: {
    meaning: 'No handler is registered for this event; compare its name with the contract.',
    retry: false,
    consumesN: true,
  },
  invalid: {
    meaning: 'The data breaks a rule of the event; `details` name path and rule.',
    retry: false,
    consumesN: true,
  },
  unauthenticated: {
    meaning: 'The connection has no valid identity; fetch a new token.',
    retry: false,
    consumesN: false,
  },
  forbidden: {
    meaning: 'This user may not do this, or is not a member of the room: send `$join` first.',
    retry: false,
    consumesN: true,
  },
  not_found: { meaning: 'Something that the command names does not exist.', retry: false, consumesN: true },
  rejected: {
    meaning: 'The feature refused the command for a reason of its own; the message says which.',
    retry: false,
    consumesN: true,
  },
  conflict: {
    meaning: 'Others kept changing the document until the deadline; nothing was done.',
    retry: true,
    consumesN: false,
  },
  out_of_order: {
    meaning: 'An earlier number is missing; `details` name the expected one.',
    retry: true,
    consumesN: false,
  },
  number_reused: {
    meaning: 'This number was used with another event, data or user; use the next one.',
    retry: false,
    consumesN: false,
  },
  session_expired: {
    meaning:
      'The session is over; the outcome of unanswered commands is unknown. Open a new one and begin with 1.',
    retry: false,
    consumesN: false,
  },
  limit: {
    meaning:
      'A limit of the session or connection is reached, such as rooms at a time; the message says which.',
    retry: false,
    consumesN: false,
  },
  rate_limited: { meaning: 'Too many commands; wait and send it again.', retry: true, consumesN: false },
  too_large: {
    meaning: 'Data, document or reply is over its size limit; send less at a time.',
    retry: false,
    consumesN: true,
  },
  unavailable: {
    meaning:
      'The engine is out of reach, the deadline passed before the commit, or only another node knows the event; nothing was done.',
    retry: true,
    consumesN: false,
  },
  unknown_outcome: {
    meaning: 'The command may have been done; send it again with the same number to find out.',
    retry: true,
    consumesN: false,
  },
  internal: { meaning: 'The server failed; its log says why.', retry: false, consumesN: true },
} as const satisfies Record<string, ErrorCodeRow>;

/** A code of the table. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** Returns true if a value is a code of the table; own keys only, so `constructor` is not one. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERROR_CODES, code);
}
