import { Logger } from '@nestjs/common';
import type { RoomFindings, RoomPart } from './room-store.js';
import { UnknownFormat } from './store-errors.js';

/** Pause between two lines of a kind, ms: evictions rarely come alone. */
const PAUSE_MS = 10_000;

/** Writes one line at once, and then one per pause with the number of suppressed ones. */
class BoundedLine {
  private quietUntil = -Infinity;
  private untold = 0;

  constructor(private readonly write: (text: string) => void) {}

  tell(text: string): void {
    const now = performance.now();
    if (now < this.quietUntil) {
      this.untold++;
      return;
    }
    this.quietUntil = now + PAUSE_MS;
    this.write(this.untold > 0 ? `${text} (${this.untold} more since the line before)` : text);
    this.untold = 0;
  }
}

/**
 * Tells operators of rooms of which the engine has lost parts, and of rooms that a newer release keeps in its own
 * way.
 */
export class LossReport {
  private readonly logger = new Logger('RoomStore');
  private readonly losses = new BoundedLine((text) => this.logger.error(text));
  private readonly formats = new BoundedLine((text) => this.logger.error(text));

  /** Inspects a reply and passes it on. */
  of<Reply extends RoomFindings>(room: string, reply: Reply): Reply {
    if (reply.lostParts) this.report(room, reply.lostParts);
    return reply;
  }

  /** Inspects the failure of a call and passes it on. */
  failed(room: string, error: unknown): unknown {
    if (error instanceof UnknownFormat)
      this.formats.tell(`room ${room} is refused here: ${error.message}. Update this node`);
    return error;
  }

  private report(room: string, parts: readonly RoomPart[]): void {
    this.losses.tell(
      `room ${room} has lost its ${parts.join(' and ')}: members get $reset and what is left. ` +
        'Keys vanish before their time: check maxmemory, maxmemory-policy, and programs that delete keys',
    );
  }
}
