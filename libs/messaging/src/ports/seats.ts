import { Injectable, Optional } from '@nestjs/common';
import { GatewayError, type RoomHold, RoomTypeRegistry } from '@wss/core';
import { PlaceSource, RoomSource } from './ports.js';

/** Holds of rooms whose members are counted: a member has a place for as long as its hold. */
@Injectable()
export class Seats {
  constructor(
    private readonly source: RoomSource,
    private readonly types: RoomTypeRegistry,
    @Optional() private readonly places?: PlaceSource,
  ) {}

  /**
   * Follows a room for a member, which has a place in it until the hold is released.
   * @throws GatewayError `limit` if the room is full; Error when the engine is out of reach
   */
  async hold(room: string, isMember: boolean): Promise<RoomHold> {
    const { maxMembers = 0 } = this.types.of(room) ?? {};
    const giveBack = this.places && (await this.places.inRoom(room, maxMembers, isMember));
    if (this.places && !giveBack)
      throw new GatewayError('limit', 'this room has all the members it may have');
    const hold = this.source.hold(room);
    return giveBack ? new SeatedHold(hold, giveBack) : hold;
  }
}

class SeatedHold implements RoomHold {
  private released = false;

  constructor(
    private readonly hold: RoomHold,
    private readonly giveBack: () => void,
  ) {}

  begin(...args: Parameters<RoomHold['begin']>): Promise<void> {
    return this.hold.begin(...args);
  }

  current(): Promise<void> | undefined {
    return this.hold.current();
  }

  release(): void {
    this.hold.release();
    if (this.released) return;
    this.released = true;
    this.giveBack();
  }
}
