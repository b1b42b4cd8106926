import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { isEngineError } from '@wss/core';
import { kindOf, LogGate, stackOf } from '@wss/protocol';

const logger = new Logger('RoomFeed');
/** Shared by all rooms: an outage of the engine is one fault. */
const outages = new LogGate((line) => logger.warn(line));
const bugs = new LogGate((line) => logger.error(line));

/**
 * Logs failures of a regular task of this node's feed, one line for each kind of failure.
 * @param what completes "rooms with members can't …"
 */
export function reportFailures(what: string, failures: readonly unknown[]): void {
  const counts = new Map<string, number>();
  for (const failure of failures) counts.set(kindOf(failure), (counts.get(kindOf(failure)) ?? 0) + 1);
  for (const [kind, count] of counts) {
    const failure = failures.findLast((each) => kindOf(each) === kind);
    const gate = isEngineError(failure) ? outages : bugs;
    const text = `rooms with members can't ${what} (${count} times), the node tries again soon`;
    gate.report(
      `${what}: ${kind}`,
      `${text}: ${failure instanceof Error ? failure.message : String(failure)}`,
    );
  }
}

/** Handles the failures of a followed room: the engine's failures pass, bugs do not. */
export class RoomFaults {
  constructor(
    private readonly room: string,
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
        const line = `room ${this.room} can't be read; the node keeps trying: ${error.message}`;
        if (attempt === 0) outages.report('engine', line);
        await delay(Math.min(1_000, 50 * 2 ** attempt) * (0.5 + Math.random()));
      }
    }
  }

  /** Logs a bug that keeps members from events. */
  found(bug: unknown): void {
    bugs.report('bug', `members of room ${this.room} begin anew: ${stackOf(bug)}`);
  }
}
