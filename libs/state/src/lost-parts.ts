import { Logger } from '@nestjs/common';
import type { CommitReply, ResumeReply, RoomPart } from './room-store.js';

/** Pause between two lines, ms: what evicts one key evicts more. */
const PAUSE_MS = 10_000;

/** Tells an operator of rooms that the engine has lost parts of: the first at once, what follows in one line per pause. */
export class LossReport {
  private readonly logger = new Logger('RoomStore');
  private quietUntil = -Infinity;
  private untold = 0;

  /** Takes a reply, and hands it on. */
  of<Reply extends CommitReply | ResumeReply>(room: string, reply: Reply): Reply {
    if (reply.lostParts) this.report(room, reply.lostParts);
    return reply;
  }

  private report(room: string, parts: readonly RoomPart[]): void {
    const now = performance.now();
    if (now < this.quietUntil) {
      this.untold++;
      return;
    }
    this.quietUntil = now + PAUSE_MS;
    const others = this.untold > 0 ? ` (and parts of rooms ${this.untold} times before)` : '';
    this.untold = 0;
    this.logger.error(
      `room ${room} has lost its ${parts.join(' and ')}${others}: members get $reset and what is left. ` +
        'Keys vanish before their time: look at maxmemory, maxmemory-policy and at who deletes keys',
    );
  }
}
