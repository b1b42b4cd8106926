import { GatewayError, type RoomTypeDeclaration, type RoomTypeRegistry } from '@wss/core';
import { parseRoomName } from '@wss/protocol';

/**
 * Returns the type of a room that a client names.
 * @throws GatewayError `invalid` for a bad name, `not_found` for an undeclared type
 */
export function declaredTypeOf(types: RoomTypeRegistry, room: string): RoomTypeDeclaration {
  if (!parseRoomName(room)) {
    throw new GatewayError('invalid', 'a room is named type:key', {
      details: [
        { path: 'room', message: 'must be type:key, the key 1 to 128 characters of A-Z a-z 0-9 _ . -' },
      ],
    });
  }
  const type = types.of(room);
  if (!type)
    throw new GatewayError(
      'not_found',
      'no such kind of room; compare the part before the colon with the contract',
    );
  return type;
}
