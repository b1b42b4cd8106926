import { setImmediate as nextTurn } from 'node:timers/promises';
import { type UserCharge, type UserLimit, UserRates } from '@wss/core';
import { settledWithin } from '@wss/protocol';
import type { PartReply, PartStore } from './part-store.js';
import { type Asked, type Steps, UserParts } from './user-parts.js';

/** Users and limits that are remembered; beyond that the oldest ones are forgotten, and with them their parts. */
const MOST_REMEMBERED = 100_000;
/** How often parts that nobody uses are given back, ms. */
const RETURN_MS = 1_000;
/** One of so many times those are forgotten that are of no use any more. */
const SWEEP_ONE_IN = 10;
/** Parts that are given back at a time. */
const RETURNS_AT_ONCE = 200;
/** How long parts are given back at the end, ms. */
const CLOSE_MS = 1_000;

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
  readonly counts = { given: 0, refused: 0, returned: 0, failed: 0 };
  private readonly parts = new Map<string, UserParts>();
  /** Those that have something at hand that others may need. */
  private readonly lending = new Set<UserParts>();
  private readonly now: () => number;
  private timer: NodeJS.Timeout | undefined;
  private ticks = 0;

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

  /** Gives back what is at hand, as far as the engine is in reach, and forgets everything; takes a second or so at most. */
  async close(): Promise<void> {
    const until = this.now() + CLOSE_MS;
    while (this.lending.size > 0 && this.now() < until) {
      const some = [...this.lending].slice(0, RETURNS_AT_ONCE);
      await settledWithin(Promise.all(some.map((parts) => this.giveBack(parts))), CLOSE_MS);
      for (const parts of some) this.lending.delete(parts);
    }
    this.forget();
  }

  /** Forgets everything; what is at hand is lost for its window. */
  forget(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.parts.clear();
    this.lending.clear();
  }

  private partsOf(limit: UserLimit, user: string): UserParts {
    const key = `${limit.name}\n${user}`;
    const known = this.parts.get(key);
    if (known) return known;
    if (this.parts.size >= MOST_REMEMBERED) this.forgetOldest();
    const parts = new UserParts(limit, user);
    this.parts.set(key, parts);
    this.timer ??= setInterval(() => this.tick(), RETURN_MS).unref();
    return parts;
  }

  /** Asks until nobody waits. The next call begins before those that this one lets go on can ask for more. */
  private ask(parts: UserParts): void {
    const asked = parts.ask(this.now());
    if (parts.lends) this.lending.add(parts);
    else this.lending.delete(parts);
    if (asked) void this.call(parts, asked);
  }

  private async call(parts: UserParts, { request, at }: Asked): Promise<void> {
    const steps = await this.store.take(request).then(
      (reply) => (request.wanted > 0 ? this.answer(parts, reply, at) : this.returned()),
      (error: unknown) => this.failed(parts, error),
    );
    while (steps && !steps.next().done) await nextTurn();
    this.ask(parts);
  }

  private returned(): undefined {
    this.counts.returned++;
  }

  private failed(parts: UserParts, error: unknown): Steps {
    this.counts.failed++;
    return parts.failed(error);
  }

  private answer(parts: UserParts, reply: PartReply, askedAt: number): Steps {
    if ('waitUs' in reply) {
      this.counts.refused++;
      return parts.refused(Math.ceil(reply.waitUs / 1_000), this.now());
    }
    this.counts.given++;
    return parts.given(reply, { askedAt, now: this.now });
  }

  private tick(): void {
    this.returnUnused();
    if (++this.ticks % SWEEP_ONE_IN === 0) this.sweep();
  }

  /** Gives back some of the parts that nobody uses; called every second. */
  returnUnused(): void {
    const now = this.now();
    let left = RETURNS_AT_ONCE;
    for (const parts of this.lending) {
      if (!parts.lends) this.lending.delete(parts);
      else if (!parts.isIdle(now)) continue;
      else if (left-- === 0) return;
      else void this.giveBack(parts);
    }
  }

  private giveBack(parts: UserParts): Promise<void> {
    this.lending.delete(parts);
    return parts.lends ? this.call(parts, parts.giveBack(this.now())) : Promise.resolve();
  }

  /** Forgets users and limits of which nothing is of use any more; called every 10 s. */
  sweep(): void {
    const now = this.now();
    for (const [key, parts] of this.parts) {
      if (parts.isOver(now)) this.parts.delete(key);
      // A charge that was taken back made it so.
      else if (parts.lends) this.lending.add(parts);
    }
    if (this.parts.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private forgetOldest(): void {
    for (const [key, parts] of this.parts) {
      if (parts.isAsking) continue;
      this.parts.delete(key);
      void this.giveBack(parts);
      return;
    }
  }
}
