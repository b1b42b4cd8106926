import { GatewayError, notMember, type RoomTypeRegistry } from '@wss/core';
import { parseRoomName } from '@wss/protocol';
import type { RoomState } from '../socket/room-state.js';
import type { RoutedCommand } from './routed-command.js';
import type { Route } from './routes.js';
import type { UnknownNames } from './unknown-names.js';

const ROOM_FORM = 'must be type:key, the key 1 to 128 characters of A-Z a-z 0-9 _ . -';

/** Judges commands by their form, their event and their room, before anything else is done. */
export class Refusals {
  constructor(
    private readonly types: RoomTypeRegistry,
    private readonly names: UnknownNames,
  ) {}

  /** The reason for which a command does not count at all; such errors are never recorded. */
  of(route: Route | undefined, command: RoutedCommand, state?: RoomState): GatewayError | undefined {
    if (command.hasNumber && (!command.number || (route?.system && route.event !== '$skip'))) {
      const needs = command.number
        ? '"n" needs an event that takes effect in a room'
        : '"n" needs a session: connect with the subprotocol wss.v1';
      return new GatewayError('bad_frame', needs);
    }
    if (command.room !== undefined && !state) return badRoom(ROOM_FORM);
    if (!route && !command.number) return undefined;
    if (route?.system) return route.event === '$join' ? this.kindRefusal(command.room) : undefined;
    if (command.room !== undefined) return this.roomRefusal(route, command.room, state!);
    return route!.roomType === undefined ? undefined : badRoom(`must be ${route!.roomType}:<key>`);
  }

  private roomRefusal(route: Route | undefined, room: string, state: RoomState): GatewayError | undefined {
    const type = room.slice(0, room.indexOf(':'));
    const declared = this.types.get(type);
    if (!declared) return this.kindRefusal(room);
    if (route?.roomType !== undefined && route.roomType !== type) {
      return badRoom(`must be ${route.roomType}:<key>`);
    }
    return state.joined || declared.openToAll ? undefined : notMember();
  }

  /** Only an undeclared kind of room is `not_found` here; bad names are refused elsewhere. */
  private kindRefusal(room: string | undefined): GatewayError | undefined {
    const type = room === undefined ? undefined : parseRoomName(room)?.type;
    if (type === undefined || this.types.get(type)) return undefined;
    return this.names.roomType(type);
  }
}

function badRoom(message: string): GatewayError {
  return new GatewayError('invalid', 'the room does not fit the event', {
    details: [{ path: 'room', message }],
  });
}
