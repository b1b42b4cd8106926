import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { isEngineError } from '@wss/core';
import { kindOf, LogGate, stackOf } from '@wss/protocol';

/** Failures of a node's feed, one for all its rooms: an outage of the engine is one fault. */
export class FeedFaults {
  private readonly logger = new Logger('RoomFeed');
  private readonly outages = new LogGate((line) => this.logger.warn(line));
  private readonly bugs = new LogGate((line) => this.logger.error(line));

  /**
   * Logs failures of a regular task, one line for each kind of failure.
   * @param what completes "rooms with members can't …"
   */
  report(what: string, failures: readonly unknown[]): void {
    const counts = new Map<string, number>();
    for (const failure of failures) counts.set(kindOf(failure), (counts.get(kindOf(failure)) ?? 0) + 1);
    for (const [kind, count] of counts) {
      const failure = failures.findLast((each) => kindOf(each) === kind);
      const gate = isEngineError(failure) ? this.outages : this.bugs;
      const text = `rooms with members can't ${what} (${count} times), the node tries again soon`;
      gate.report(
        `${what}: ${kind}`,
        `${text}: ${failure instanceof Error ? failure.message : String(failure)}`,
      );
    }
  }

  /** A room can't be read. */
  outage(room: string, error: Error): void {
    this.outages.report('engine', `room ${room} can't be read; the node keeps trying: ${error.message}`);
  }

  /** A bug keeps members of a room from events. */
  bug(room: string, bug: unknown): void {
    this.bugs.report('bug', `members of room ${room} begin anew: ${stackOf(bug)}`);
  }
}

/** Handles the failures of a followed room: the engine's failures pass, bugs do not. */
export class RoomFaults {
  constructor(
    private readonly room: string,
    private readonly feed: FeedFaults,
    private readonly stopped: () => boolean,
  ) {}

  /**
   * Repeats a task through failures of the engine, until it is done or the room is not followed any more.
   * @throws anything but a failure of the engine
   */
  async persist(work: () => Promise<void>): Promise<void> {
    for (let attempt = 0; !this.stopped(); attempt++) {
      try {
        return await work();
      } catch (error) {
        if (!isEngineError(error)) throw error;
        if (attempt === 0) this.feed.outage(this.room, error);
        await delay(Math.min(1_000, 50 * 2 ** attempt) * (0.5 + Math.random()));
      }
    }
  }

  /** Logs a bug that keeps members from events. */
  found(bug: unknown): void {
    this.feed.bug(this.room, bug);
  }
}
