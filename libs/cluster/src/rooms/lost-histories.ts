import { Logger, type OnApplicationShutdown } from '@nestjs/common';
import type { ResetReason } from '@wss/protocol';

/** Pauses around a line, ms. */
export interface LostHistoriesOptions {
  /** How long rooms are counted before the line: a node looks at its quiet rooms every 2 s. */
  readonly gatherMs: number;
  /** Shortest pause between two lines. */
  readonly periodMs: number;
}

const DEFAULTS: LostHistoriesOptions = { gatherMs: 3_000, periodMs: 60_000 };

/** For each reason, the fate of the rooms and its possible cause. */
const CAUSES: Readonly<Record<ResetReason, string>> = {
  unknown_epoch: 'have lost their history (Redis was emptied or restored, or keys were deleted)',
  rolled_back: 'have lost their newest events (Redis failed over or restarted)',
  trimmed: 'went on beyond their log while this node did not hear them',
  too_far: 'went on too far while this node did not hear them',
};

/**
 * Tells operators of rooms whose members can't go on from their positions: one line for all rooms of a node that one
 * event hits.
 */
export class LostHistories implements OnApplicationShutdown {
  private readonly logger = new Logger('RoomFeed');
  private readonly rooms = new Map<ResetReason, number>();
  private timer?: ReturnType<typeof setTimeout>;
  private quietUntil = -Infinity;
  private closed = false;

  constructor(private readonly options = DEFAULTS) {}

  /** Notes that the members of one room get `$reset`. Does nothing once closed: the node has no members then. */
  report(reason: ResetReason): void {
    if (this.closed) return;
    this.rooms.set(reason, (this.rooms.get(reason) ?? 0) + 1);
    const waitMs = Math.max(this.options.gatherMs, this.quietUntil - performance.now());
    // A pending line must not keep a process alive.
    this.timer ??= setTimeout(() => this.tell(), waitMs).unref();
  }

  /** Writes a pending line now, and no more lines afterwards. */
  close(): void {
    this.closed = true;
    if (this.timer) this.tell();
  }

  onApplicationShutdown(): void {
    this.close();
  }

  private tell(): void {
    clearTimeout(this.timer);
    delete this.timer;
    this.quietUntil = performance.now() + this.options.periodMs;
    const causes = [...this.rooms].map(([reason, count]) => `${count} ${CAUSES[reason]}`);
    const line = `rooms that are followed here can't go on, their members get $reset: ${causes.join('; ')}`;
    if (this.rooms.has('unknown_epoch')) this.logger.error(line);
    else this.logger.warn(line);
    this.rooms.clear();
  }
}
