import { Injectable, Logger, Optional } from '@nestjs/common';
import { LogGate } from '@wss/protocol';
import { BYTES_PER_SECOND, FRAMES_PER_SECOND } from '../ports/limits.js';
import { MessagingObserver } from '../ports/messaging-observer.js';
import { ClientLimits, NodeHearing } from '../ports/ports.js';
import { ReadingTurns } from './reading-turns.js';

/** A client may save so many seconds' worth of its share, and spend it at once. */
export const SAVED_SECONDS = 5;

/** However big its last frame was, a client owes no more than so many seconds' worth: a pause ends within 5 s. */
export const OWED_SECONDS = 4;

/** How often clients that are over their share are looked at, ms. */
const TICK_MS = 50;

/** A client over its share. */
export interface PausedReader {
  /** Returns true if it may be read again; then it is not called any more. */
  mayGoOn(now: number): boolean;
}

/** How much each client of the node may send, and the clients that are over it; one timer for all of these. */
@Injectable()
export class ReadingShares {
  readonly turns = new ReadingTurns(() => this.behind);
  /** Each Infinity without a limit. */
  readonly framesPerSecond: number;
  readonly bytesPerSecond: number;
  private readonly logger = new Logger('Connections');
  private readonly told = new LogGate((line) => this.logger.warn(line));
  private paused: PausedReader[] = [];
  private timer?: NodeJS.Timeout;

  constructor(
    @Optional() limits?: ClientLimits,
    @Optional() private readonly observer?: MessagingObserver,
    @Optional() private readonly hearing?: NodeHearing,
  ) {
    this.framesPerSecond = limits?.framesPerSecond ?? FRAMES_PER_SECOND;
    this.bytesPerSecond = limits?.bytesPerSecond ?? BYTES_PER_SECOND;
  }

  /**
   * Resolves when clients may be read again: this node may not have heard yet that one of them was put out while its
   * process stood still (R38, R39). Undefined while it has.
   */
  get behind(): Promise<void> | undefined {
    return this.hearing?.behind;
  }

  /** Keeps a client until it may be read again. */
  pause(reader: PausedReader, by: 'frames' | 'bytes', clientId: string): void {
    this.observer?.clientPaused?.(by);
    this.told.report(by, `client ${clientId} sends more ${by} per second than it may, so it is read slowly`);
    this.waitFor(reader);
  }

  /** Counts a client whose frames are kept back until one of its commands is answered. */
  keptBack(): void {
    this.observer?.clientPaused?.('commands');
  }

  /** Keeps one whose connection ends, which concerns nobody else. */
  waitFor(reader: PausedReader): void {
    this.paused.push(reader);
    this.timer ??= setInterval(this.tick, TICK_MS).unref();
  }

  private readonly tick = (): void => {
    const now = performance.now();
    this.paused = this.paused.filter((reader) => !reader.mayGoOn(now));
    if (this.paused.length > 0) return;
    clearInterval(this.timer);
    delete this.timer;
  };
}
