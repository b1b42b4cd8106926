import { type UserCharge, type UserLimit, UserRates } from '@wss/core';
import type { PartReply, PartStore } from './part-store.js';
import { type Asked, UserParts } from './user-parts.js';

/** Users and limits that are remembered; beyond that the oldest ones are forgotten, and with them their parts. */
const MOST_REMEMBERED = 100_000;
/** How often those are forgotten that are of no use any more, ms. */
const SWEEP_MS = 10_000;

/** Settings of {@link EngineUserRates}. */
export interface UserRateOptions {
  /** Steady clock, ms. Default this process'. */
  readonly now?: () => number;
}

/**
 * Charges commands to users' limits by parts that the engine gives to this node. One call is under way for a user and a
 * limit at a time; commands that come meanwhile wait for it, in order.
 */
export class EngineUserRates extends UserRates {
  /** Calls of the engine by their outcome. */
  readonly counts = { given: 0, refused: 0, failed: 0 };
  private readonly parts = new Map<string, UserParts>();
  private readonly now: () => number;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly store: PartStore,
    { now = () => performance.now() }: UserRateOptions = {},
  ) {
    super();
    this.now = now;
  }

  take(limit: UserLimit, user: string, deadline: number): UserCharge | Promise<UserCharge> {
    const parts = this.partsOf(limit, user);
    const charge = parts.take(this.now());
    if (charge) return charge;
    const waiting = parts.wait(deadline);
    if (!parts.isAsking) this.ask(parts);
    return waiting;
  }

  /** Users and limits that are remembered. */
  get size(): number {
    return this.parts.size;
  }

  /** Forgets everything. */
  close(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.parts.clear();
  }

  private partsOf(limit: UserLimit, user: string): UserParts {
    const key = `${limit.name}\n${user}`;
    const known = this.parts.get(key);
    if (known) return known;
    if (this.parts.size >= MOST_REMEMBERED) this.forgetOldest();
    const parts = new UserParts(limit, user);
    this.parts.set(key, parts);
    this.timer ??= setInterval(() => this.sweep(), SWEEP_MS).unref();
    return parts;
  }

  /** Asks until nobody waits. The next call begins before those that this one lets go on can ask for more. */
  private ask(parts: UserParts): void {
    const asked = parts.ask(this.now());
    if (asked) void this.call(parts, asked);
  }

  private async call(parts: UserParts, { request, at }: Asked): Promise<void> {
    try {
      this.answer(parts, await this.store.take(request), at);
    } catch (error) {
      this.counts.failed++;
      parts.failed(error);
    }
    this.ask(parts);
  }

  private answer(parts: UserParts, reply: PartReply, askedAt: number): void {
    if ('waitUs' in reply) {
      this.counts.refused++;
      parts.refused(Math.ceil(reply.waitUs / 1_000), this.now());
    } else {
      this.counts.given++;
      parts.given(reply, { askedAt, now: this.now() });
    }
  }

  /** Forgets users and limits of which nothing is of use any more; called every 10 s. */
  sweep(): void {
    const now = this.now();
    for (const [key, parts] of this.parts) if (parts.isOver(now)) this.parts.delete(key);
    if (this.parts.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private forgetOldest(): void {
    for (const [key, parts] of this.parts) {
      if (parts.isAsking) continue;
      this.parts.delete(key);
      return;
    }
  }
}
