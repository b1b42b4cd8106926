import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { LogGate } from '@wss/protocol';
import { isEngineFault } from '../events/cluster-answer.js';

const logger = new Logger('RoomFeed');
/** Of all rooms: an outage of the engine is one fault. */
const outages = new LogGate((line) => logger.warn(line));
const bugs = new LogGate((line) => logger.error(line));

/** Deals with what keeps a followed room from going on: the engine's failures pass, bugs do not. */
export class RoomFaults {
  constructor(
    private readonly room: string,
    private readonly stopped: () => boolean,
  ) {}

  /**
   * Repeats what the engine keeps from being done, until it is done or the room is not followed any more.
   * @throws anything but a failure of the engine
   */
  async persist(work: () => Promise<void>): Promise<void> {
    for (let attempt = 0; !this.stopped(); attempt++) {
      try {
        return await work();
      } catch (error) {
        if (!isEngineFault(error)) throw error;
        const line = `room ${this.room} can't be read, and is tried on: ${error.message}`;
        if (attempt === 0) outages.report('engine', line);
        await delay(Math.min(1_000, 50 * 2 ** attempt) * (0.5 + Math.random()));
      }
    }
  }

  /** Logs a bug that keeps members from what happened. */
  found(bug: unknown): void {
    const text = bug instanceof Error ? (bug.stack ?? bug.message) : String(bug);
    bugs.report('bug', `members of room ${this.room} begin anew: ${text}`);
  }
}
