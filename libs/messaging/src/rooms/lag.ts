import type { Position } from '@wss/protocol';

let lastOrder = 0;

/** The position of a member that gets no live events until it has caught up. */
export class Lag {
  /** True while a part is being read for it. */
  isReading = false;
  /** Place in the order of waiting: the lowest number has waited longest for a part. */
  order = ++lastOrder;
  /** True if it has waited longest of the client's rooms, and gets its part even if others were faster. */
  isNext = false;

  /** @param from end of the events that the member was sent and that were not dropped since */
  constructor(public from: Position) {}

  /** Notes that it got a part: other rooms are next. */
  wasServed(): void {
    this.order = ++lastOrder;
    this.isNext = false;
  }
}
