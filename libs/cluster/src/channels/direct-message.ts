import type { Standing } from '@wss/core';

/** A message for clients one by one: on the channel of a user, of a node's clients, or of everybody. */
export type DirectMessage =
  /** An event whose two parts are JSON; `clientId` is empty if the channel alone names the receivers. */
  | { readonly clientId: string; readonly event: string; readonly data: string }
  /** Ends older connections of a session that goes on with this generation. */
  | { readonly session: string; readonly generation: number }
  /** Ends the connections of the channel's user that this standing does not let go on. */
  | { readonly standing: Standing };

/** Begins a take-over; events begin with a line break or a client id. */
const TAKE_OVER = '!';
/** Begins a standing: nodes of older releases take it for the take-over of a session that nobody has. */
const STANDING = `${TAKE_OVER}*`;

/** Writes a message. */
export function encodeDirect(message: DirectMessage): string {
  if ('standing' in message) {
    const { revokedAt = '', disconnected, newest } = message.standing;
    return `${STANDING}${revokedAt},${disconnected} ${newest}`;
  }
  if ('session' in message) return `${TAKE_OVER}${message.session} ${message.generation}`;
  const { clientId, event, data } = message;
  return `${clientId}\n${event}\n${data}`;
}

/** Reads a message. */
export function decodeDirect(text: string): DirectMessage {
  if (text.startsWith(STANDING)) {
    const [revokedAt, disconnected, newest] = text.slice(STANDING.length).split(/[, ]/);
    return {
      standing: {
        disconnected: Number(disconnected),
        newest: Number(newest),
        ...(revokedAt !== '' && { revokedAt: Number(revokedAt) }),
      },
    };
  }
  if (text.startsWith(TAKE_OVER)) {
    const [session, generation] = text.slice(TAKE_OVER.length).split(' ') as [string, string];
    return { session, generation: Number(generation) };
  }
  const [clientId, event, data] = text.split('\n') as [string, string, string];
  return { clientId, event, data };
}
