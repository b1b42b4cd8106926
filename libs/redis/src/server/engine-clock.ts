import { Logger } from '@nestjs/common';
import { callAll } from './call-all.js';

/**
 * A clock that moves against our steady one by more than this, beyond the travel time of the answer, has made a step,
 * ms.
 */
const STEP_MS = 1_000;
/** How far the clocks of a cluster's masters may differ, ms (R30). */
const MAX_SPREAD_MS = 5_000;
/** For how long a step is shown after it happened, ms. */
const SHOWN_MS = 600_000;

/** When a server's clock was read, on this process' steady clock, ms. */
export interface ClockReading {
  readonly sentAt: number;
  readonly answeredAt: number;
  /** The time that it showed, ms since 1970. */
  readonly time: number;
}

/** A step of a clock. */
export interface ClockStep {
  readonly server: string;
  /** Size of the step, ms; negative: back. */
  readonly byMs: number;
  readonly at: number;
}

/** One server's clock, against this process' steady one. */
export class ClockWatch {
  private known?: { readonly ms: number; readonly withinMs: number };

  /** Offset of the clock from ours, ms; undefined before the first reading. */
  get offsetMs(): number | undefined {
    return this.known?.ms;
  }

  /**
   * Takes a reading.
   * @returns by how much the clock was set since the last one, ms; 0 if it was not
   */
  saw({ sentAt, answeredAt, time }: ClockReading): number {
    const before = this.known;
    this.known = { ms: time - (sentAt + answeredAt) / 2, withinMs: (answeredAt - sentAt) / 2 };
    if (!before) return 0;
    const byMs = Math.round(this.known.ms - before.ms);
    return Math.abs(byMs) > STEP_MS + before.withinMs + this.known.withinMs ? byMs : 0;
  }
}

/**
 * Compares the clocks of Redis' servers with this process' steady one, and counts their steps. All ends that Redis
 * keeps are instants of its clock: a step moves them all, and every wait for one has to begin anew.
 */
export class EngineClock {
  /** Steps that were seen since the node started. */
  steps = 0;
  private readonly logger = new Logger('EngineClock');
  private readonly watches = new Map<string, ClockWatch>();
  private readonly listeners: ((step: ClockStep) => void)[] = [];
  private last?: ClockStep;
  private apart = false;

  /** Calls back after each step of a server's clock. */
  onStep(listener: (step: ClockStep) => void): void {
    this.listeners.push(listener);
  }

  /** Takes a reading of a server's clock. */
  saw(server: string, reading: ClockReading): void {
    const watch = this.watches.get(server) ?? new ClockWatch();
    this.watches.set(server, watch);
    const byMs = watch.saw(reading);
    if (byMs !== 0) this.stepped(server, byMs);
    this.compare();
  }

  /** Forgets a server that has none of our data any more. */
  forget(server: string): void {
    this.watches.delete(server);
  }

  /** Largest difference between the servers' clocks, ms. */
  get spreadMs(): number {
    const offsets = [...this.watches.values()].map(({ offsetMs = 0 }) => offsetMs);
    return offsets.length < 2 ? 0 : Math.round(Math.max(...offsets) - Math.min(...offsets));
  }

  /** Warning for operators; undefined while the clocks agree and none stepped within the last ten minutes. */
  notice(): string | undefined {
    if (this.spreadMs > MAX_SPREAD_MS)
      return `the clocks of Redis' hosts differ by ${inSeconds(this.spreadMs)}`;
    if (!this.last || performance.now() - this.last.at > SHOWN_MS) return undefined;
    return `the clock of ${this.last.server} was set by ${inSeconds(this.last.byMs)}`;
  }

  private stepped(server: string, byMs: number): void {
    this.steps++;
    this.last = { server, byMs, at: performance.now() };
    this.logger.warn(
      `the clock of ${server} was set by ${inSeconds(byMs)}, so ends that Redis keeps come sooner or later than meant; let its hosts follow one time server`,
    );
    callAll(this.listeners, this.last, this.logger);
  }

  private compare(): void {
    const apart = this.spreadMs > MAX_SPREAD_MS;
    if (apart && !this.apart) {
      this.logger.error(
        `the clocks of Redis' hosts differ by ${inSeconds(this.spreadMs)}, ${MAX_SPREAD_MS / 1_000} s are allowed; let them follow one time server`,
      );
    } else if (!apart && this.apart) this.logger.log("the clocks of Redis' hosts agree again");
    this.apart = apart;
  }
}

function inSeconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
