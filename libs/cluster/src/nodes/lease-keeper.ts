import { Logger } from '@nestjs/common';
import { kindOf, LogGate, stackOf } from '@wss/protocol';

/** Settings of a lease. */
export interface LeaseOptions {
  /** Pause between two renewals, ms. Default 1,000. */
  readonly heartbeatMs?: number;
  /** How long a lease holds after its last renewal, ms. Default 5,000. */
  readonly leaseMs?: number;
}

/** Pause between two renewals of a lease, ms. */
export const HEARTBEAT_MS = 1_000;
/** How long a lease holds after its last renewal, ms. */
export const LEASE_MS = 5_000;

/** Part of a lease that a node relies on: the rest is for rounding and for clocks of different speeds. */
const RELIABLE_PART = 0.95;

/** The result of a renewal: the lease was held, or it had ended and was taken again. */
export type Renewal = 'renewed' | 'taken';

/**
 * Keeps one lease by heartbeats, through outages of any length, and knows whether it holds.
 *
 * It is cautious: a lease counts from the moment its renewal was sent, on this process' own steady clock, and for 95
 * % of its duration, so it is never believed to hold longer than the engine keeps it.
 */
export class LeaseKeeper {
  private readonly logger = new Logger('NodeLease');
  private readonly faults = new LogGate((line) => this.logger.error(line));
  private readonly heartbeatMs: number;
  private readonly leaseMs: number;
  private readonly lostCallbacks: (() => void)[] = [];
  private readonly renewedCallbacks: (() => void)[] = [];
  private heldUntil = -Infinity;
  private believed = false;
  private failing = false;
  private starting?: Promise<void>;
  private running?: Promise<void>;
  private timer?: NodeJS.Timeout;
  private expiry?: NodeJS.Timeout;

  /** @param renew one attempt; it ends within a bounded time */
  constructor(
    private readonly renew: () => Promise<Renewal>,
    { heartbeatMs = HEARTBEAT_MS, leaseMs = LEASE_MS }: LeaseOptions,
  ) {
    this.heartbeatMs = heartbeatMs;
    this.leaseMs = leaseMs;
  }

  /** True if the lease certainly holds now. */
  get holds(): boolean {
    return performance.now() < this.heldUntil;
  }

  onLost(callback: () => void): void {
    this.lostCallbacks.push(callback);
  }

  onRenewed(callback: () => void): void {
    this.renewedCallbacks.push(callback);
  }

  /** Takes the lease and keeps it from now on; a lease that is kept already stays. Throws if it can't be taken. */
  start(): Promise<void> {
    return (this.starting ??= this.begin());
  }

  /** Stops the heartbeats; when it resolves, none is under way. It may be started again. */
  async stop(): Promise<void> {
    await this.starting?.catch(() => undefined);
    clearInterval(this.timer);
    clearTimeout(this.expiry);
    delete this.starting;
    await this.running;
    clearTimeout(this.expiry);
    this.heldUntil = -Infinity;
    this.believed = false;
  }

  private async begin(): Promise<void> {
    try {
      await this.beat();
    } catch (error) {
      delete this.starting;
      throw error;
    }
    this.timer = setInterval(() => this.tick(), this.heartbeatMs).unref();
  }

  /** Sends one heartbeat at a time, so that a slow engine gets no queue of them. */
  private tick(): void {
    if (this.running) return;
    this.running = this.beat()
      .then(
        () => this.reportRecovery(),
        (error: Error) => this.reportFailure(error),
      )
      .finally(() => delete this.running);
  }

  private async beat(): Promise<void> {
    const sentAt = performance.now();
    const renewal = await this.renew();
    this.heldUntil = sentAt + this.leaseMs * RELIABLE_PART;
    clearTimeout(this.expiry);
    this.expiry = setTimeout(() => this.lose(), Math.max(this.heldUntil - performance.now(), 0)).unref();
    if (renewal === 'taken') this.lose();
    if (this.believed) return;
    this.believed = true;
    this.notify(this.renewedCallbacks);
  }

  private lose(): void {
    if (!this.believed) return;
    this.believed = false;
    this.notify(this.lostCallbacks);
  }

  private notify(callbacks: readonly (() => void)[]): void {
    for (const callback of callbacks) {
      try {
        callback();
      } catch (error) {
        this.faults.report(kindOf(error), stackOf(error));
      }
    }
  }

  private reportFailure({ message }: Error): void {
    if (!this.failing) this.logger.warn(`heartbeats fail; the node keeps trying: ${message}`);
    this.failing = true;
  }

  private reportRecovery(): void {
    if (this.failing) this.logger.log('heartbeats succeed again');
    this.failing = false;
  }
}
