import type { Position } from '@wss/protocol';

let turns = 0;

/** Where a member goes on that gets nothing live until it has caught up. */
export class Lag {
  /** A part is being read for it. */
  isReading = false;
  /** Place in the order of waiting: the lowest number has waited longest for a part. */
  turn = ++turns;
  /** It has waited longest of the client's rooms, and gets its part though others were faster. */
  isNext = false;

  /** @param from what the member was sent and was not dropped since */
  constructor(public from: Position) {}

  /** It got a part: others are next. */
  wasServed(): void {
    this.turn = ++turns;
    this.isNext = false;
  }
}
