import type { CommandOrder, RoomHold } from '@wss/core';
import type { Ending, Position } from '@wss/protocol';

/** Where a room's members on this node are. */
export interface RoomPlace {
  /** They were sent everything up to here, or have to catch up to it. */
  seen: Position;
}

/** A client's relation to one room. */
export interface RoomState {
  /** True if it is a member. */
  joined: boolean;
  /** Held while its events are sent; after a resume a member first has to give its position. */
  hold?: RoomHold;
  /** The position up to which members on this node have been sent the room; present with {@link hold}. */
  place?: RoomPlace;
  /** The ending of its membership, if that was ended and it has not joined since. */
  ended?: Ending;
  /** True while a join or leave is under way; later commands in this room wait for it. */
  changing: boolean;
  readonly order: CommandOrder;
  /** Number of its users: the membership, and each command under way. The last one removes it. */
  uses: number;
}
