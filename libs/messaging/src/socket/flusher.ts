import { Injectable, Optional } from '@nestjs/common';
import { NodeHearing } from '../ports/ports.js';

/** A queue that is flushed at the end of a turn in which something was queued. */
export interface Flushable {
  flush(): void;
}

/**
 * Writes out, once per turn of the event loop, everything that was queued during the turn: one write per socket.
 *
 * It runs in the check phase right after the sockets were read, so a single frame for an idle socket waits for
 * nothing but the rest of its own turn. After this process stood still all frames wait until this node knows who was put
 * out meanwhile (R39).
 */
@Injectable()
export class Flusher {
  /** Counts the turns in which something was queued. */
  turn = 0;

  private dirty: Flushable[] = [];
  private scheduled = false;

  constructor(@Optional() private readonly hearing?: NodeHearing) {}

  /** Flushes the queue at the end of this turn. */
  add(queue: Flushable): void {
    this.dirty.push(queue);
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(this.flush);
  }

  private readonly flush = (): void => {
    const behind = this.hearing?.behind;
    if (behind) return void behind.then(this.flush);
    const queues = this.dirty;
    this.dirty = [];
    this.scheduled = false;
    this.turn++;
    for (const queue of queues) queue.flush();
  };
}
