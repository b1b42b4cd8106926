import { Injectable } from '@nestjs/common';
import { GatewayError, notMember, type PresencePage, type PresenceRange, RoomTypeRegistry } from '@wss/core';
import { PresenceSource } from '../ports/ports.js';
import type { RoutedCommand } from '../commands/routed-command.js';
import { declaredTypeOf } from './declared-type.js';

/** Answers who is in a room. */
@Injectable()
export class PresenceReader {
  constructor(
    private readonly types: RoomTypeRegistry,
    private readonly source: PresenceSource,
  ) {}

  /**
   * Returns a part of the users in the command's room, for its members.
   * @throws GatewayError `invalid` for a bad name, `not_found` for an undeclared type and one without presence,
   * `forbidden` for a client that is not a member, `unavailable`.
   */
  async page({ client, room }: RoutedCommand, range: PresenceRange): Promise<PresencePage> {
    const type = declaredTypeOf(this.types, room!);
    if (!type.openToAll && !client.roomState(room!)?.joined) throw notMember();
    if (!type.presence) throw new GatewayError('not_found', 'rooms of this kind do not show who is in them');
    return this.source.page(room!, range);
  }
}
