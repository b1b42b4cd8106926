import { Logger, type OnApplicationBootstrap } from '@nestjs/common';
import type { SessionHooks } from '@wss/core';
import { settledWithin } from '@wss/protocol';
import { ClockWatch } from '@wss/redis';
import type { Claims, ClaimedSession, SessionStore } from './session-store.js';

/** Longest pause between two looks for ended sessions, ms; it is shorter where sessions are short. */
const EVERY_MS = 5_000;
/** Nodes look at the engine's clock several times in this time, ms. */
const LEAST_REST_MS = 5_000;
/** Number of sessions that are claimed at once. */
const BATCH = 100;
/** Longest time that a stop waits for hooks that run, ms. */
const STOP_MS = 10_000;

/**
 * Finds sessions that are over and tells the features, on one node for each.
 *
 * After an outage, and after a step of the engine's clock, ends have passed of sessions that are connected: nothing is
 * told before their nodes had two looks' time to move them. A node that begins can't know of a step right before.
 */
export class SessionExpiry implements OnApplicationBootstrap {
  private readonly logger = new Logger('Sessions');
  private readonly clock = new ClockWatch();
  private restsUntil = -Infinity;
  private timer?: NodeJS.Timeout;
  private running?: Promise<void>;
  private stopped = false;
  private readonly everyMs: number;

  /**
   * @param ttlMs how long a session outlives its last connection
   * @param forgotten told of each session that has ended
   */
  constructor(
    private readonly store: SessionStore,
    private readonly hooks: SessionHooks,
    ttlMs: number,
    private readonly forgotten?: (session: ClaimedSession) => Promise<void>,
  ) {
    this.everyMs = Math.min(EVERY_MS, ttlMs / 4);
  }

  onApplicationBootstrap(): void {
    this.rest();
    this.timer = setInterval(() => this.look(), this.everyMs).unref();
  }

  /** Claims no more sessions, and waits for the hooks that run, within 10 s and until the signal. */
  async stop(over?: AbortSignal): Promise<void> {
    clearInterval(this.timer);
    this.stopped = true;
    if (this.running) await settledWithin(this.running, STOP_MS, over);
  }

  private look(): void {
    if (performance.now() < this.restsUntil) return;
    this.running ??= this.tellAll()
      .catch((error: Error) => {
        this.logger.debug(`ended sessions can't be claimed now: ${error.message}`);
        this.rest();
      })
      .finally(() => delete this.running);
  }

  private async tellAll(): Promise<void> {
    for (;;) {
      const { sessions } = await this.claim();
      await Promise.all(sessions.map((session) => this.tell(session)));
      if (this.stopped || sessions.length < BATCH) return;
    }
  }

  /**
   * Claims ended sessions; right after a step of the clock, leaves them to the node that looks after the claim ends.
   */
  private async claim(): Promise<Claims> {
    const sentAt = performance.now();
    const claims = await this.store.claimEnded(BATCH);
    if (this.clock.saw({ sentAt, answeredAt: performance.now(), time: claims.now }) === 0) return claims;
    this.rest();
    return { ...claims, sessions: [] };
  }

  private rest(): void {
    this.restsUntil = performance.now() + Math.max(2 * this.everyMs, LEAST_REST_MS);
  }

  private async tell(session: ClaimedSession): Promise<void> {
    await this.hooks.run('expired', { id: session.id, user: session.user });
    await this.forgotten?.(session);
    await this.store.forget(session);
  }
}
