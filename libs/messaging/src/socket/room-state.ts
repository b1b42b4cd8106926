import type { CommandOrder, RoomHold } from '@wss/core';

/** A client's relation to one room. */
export interface RoomState {
  /** It is a member. */
  joined: boolean;
  /** Kept while its events are sent; after a resume a member has to say first from where. */
  hold?: RoomHold;
  /** A join or leave is under way; what follows in this room waits for it. */
  changing: boolean;
  readonly order: CommandOrder;
  /** How many use it: the membership, and each command under way. With the last of them it goes. */
  uses: number;
}
