import type { Ending } from '@wss/protocol';
import { GatewayError } from './gateway-error.js';

/** The error for a client that is not a member of the room. */
export function notMember(): GatewayError {
  return new GatewayError('forbidden', 'you are not a member of this room; send "$join" for it first');
}

/** The error for a client whose membership of the room was ended; `not_found` if the room was deleted. */
export function membershipEnded({ reason, deleted }: Ending): GatewayError {
  if (deleted) return roomDeleted(reason);
  const removed = 'you were removed from this room';
  return new GatewayError('forbidden', reason === '' ? removed : `${removed}: ${reason}`);
}

/** The error for work in a room that was deleted. */
export function roomDeleted(reason = ''): GatewayError {
  const deleted = 'this room was deleted';
  return new GatewayError('not_found', reason === '' ? deleted : `${deleted}: ${reason}`);
}

/** The error for a client of whose membership the node does not know now whether it has ended. */
export function membershipUnknown(): GatewayError {
  return new GatewayError(
    'unavailable',
    'it is not known now if you are a member of this room; join it again',
  );
}

/** The error for a client that goes on from a membership of which the room does not know any more whether it has ended. */
export function membershipForgotten(): GatewayError {
  return new GatewayError(
    'forbidden',
    'the room does not know any more if you were removed; join it anew, without a position',
  );
}
