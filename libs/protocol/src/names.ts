/** Subprotocol that switches sessions on. */
export const SUBPROTOCOL = 'wss.v1';

/** Prefix of a subprotocol that carries a resume token. */
export const RESUME_PREFIX = 'wss.resume.';

/** Prefix of a subprotocol that carries an access token; never echoed. */
export const TOKEN_PREFIX = 'wss.token.';

/**
 * Prefix of a subprotocol that carries an access token as base64url, so that it may have any characters; never
 * echoed.
 */
export const TOKEN64_PREFIX = 'wss.token64.';

/** Subprotocol of clients that want a refusal as a close code, since browsers hide the HTTP status. */
export const REFUSALS_SUBPROTOCOL = 'wss.refusals';

/** Longest access token, bytes. */
export const MAX_TOKEN_LENGTH = 15_360;

/** Longest event name, characters. */
export const MAX_EVENT_LENGTH = 128;

/** A room's name, taken apart. */
export interface RoomName {
  /** Kind of room; features declare types. */
  readonly type: string;
  /** The room among those of its type. */
  readonly key: string;
}

const ROOM = /^([a-z][a-z0-9-]{0,31}):([A-Za-z0-9_.-]{1,128})$/;

/** Takes a room's name apart; `undefined` when it is not `type:key` with legal characters. */
export function parseRoomName(name: string): RoomName | undefined {
  const match = ROOM.exec(name);
  return match ? { type: match[1]!, key: match[2]! } : undefined;
}

const USER = /^[^\p{Cc}\p{Cs}]{1,128}$/u;

/** True for a text of 1 to 128 code points without control characters and halves of surrogate pairs. */
export function isUserName(name: unknown): name is string {
  return typeof name === 'string' && USER.test(name);
}

const EPOCH = /^\d{1,16}\.[\w-]{1,47}$/;

/** True if a value has the form of an epoch: a number of at most 16 digits, a dot, and 1 to 47 of `A-Z a-z 0-9 _ -`. */
export function isEpoch(value: unknown): value is string {
  return typeof value === 'string' && EPOCH.test(value);
}

/** True if this event belongs to the system; features must not register such a name. */
export function isSystemEvent(event: string): boolean {
  return event.startsWith('$');
}
