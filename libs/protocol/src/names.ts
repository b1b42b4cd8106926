/** Subprotocol that switches sessions on. */
export const SUBPROTOCOL = 'wss.v1';

/** Prefix of a subprotocol that carries a resume token. */
export const RESUME_PREFIX = 'wss.resume.';

/** Prefix of a subprotocol that carries an access token; never echoed. */
export const TOKEN_PREFIX = 'wss.token.';

/** Longest event name, characters. */
export const MAX_EVENT_LENGTH = 128;

/** A room's name, taken apart. */
export interface RoomName {
  /** What kind of room it is; features declare types. */
  readonly type: string;
  /** Which room of that type. */
  readonly key: string;
}

const ROOM = /^([a-z][a-z0-9-]{0,31}):([A-Za-z0-9_.-]{1,128})$/;

/** Takes a room's name apart; `undefined` when it is not `type:key` with legal characters. */
export function parseRoomName(name: string): RoomName | undefined {
  const match = ROOM.exec(name);
  return match ? { type: match[1]!, key: match[2]! } : undefined;
}

/** Whether this event belongs to the system; features must not register such a name. */
export function isSystemEvent(event: string): boolean {
  return event.startsWith('$');
}
