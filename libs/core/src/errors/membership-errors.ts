import type { Ending } from '@wss/protocol';
import { GatewayError } from './gateway-error.js';

/** The error for a client whose membership of the room was ended. */
export function membershipEnded({ reason }: Ending): GatewayError {
  const removed = 'you were removed from this room';
  return new GatewayError('forbidden', reason === '' ? removed : `${removed}: ${reason}`);
}

/** The error for a client of whose membership the node does not know now whether it has ended. */
export function membershipUnknown(): GatewayError {
  return new GatewayError(
    'unavailable',
    'it is not known now if you are a member of this room; join it again',
  );
}
