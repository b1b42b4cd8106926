import type { CommandOrder, RoomHold } from '@wss/core';

/** A client's relation to one room. */
export interface RoomState {
  /** True if it is a member. */
  joined: boolean;
  /** Held while its events are sent; after a resume a member first has to give its position. */
  hold?: RoomHold;
  /** True while a join or leave is under way; later commands in this room wait for it. */
  changing: boolean;
  readonly order: CommandOrder;
  /** Number of its users: the membership, and each command under way. The last one removes it. */
  uses: number;
}
