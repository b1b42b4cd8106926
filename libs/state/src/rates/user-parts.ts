import {
  engineUnavailable,
  rateLimited,
  toGatewayError,
  toReadError,
  type UserCharge,
  type UserLimit,
} from '@wss/core';
import { type LimitPart, partLifeUs, type PartRequest } from './part-store.js';

/** Longest time for which a refusal is believed, ms: another node may give back what it did not use. */
const BELIEVED_MS = 1_000;

/** A part at hand, and what of it was used. */
class HeldPart implements UserCharge {
  used = 0;
  /** The engine was told what was used: nothing can be taken back any more. */
  told = false;

  constructor(
    readonly part: LimitPart,
    /** When the others than the first may not be used any more, ms of the node's steady clock. */
    readonly until: number,
    private readonly onRefund: () => void,
  ) {}

  take(now: number): boolean {
    if (this.used >= this.part.count || now >= this.until) return false;
    this.used++;
    return true;
  }

  refund(): void {
    if (this.told || this.used === 0) return;
    this.used--;
    this.onRefund();
  }
}

interface WaitingCharge {
  readonly deadline: number;
  readonly resolve: (charge: UserCharge) => void;
  readonly reject: (error: Error) => void;
}

/** A request, and when it was made, ms of the node's steady clock. */
export interface Asked {
  readonly request: PartRequest;
  readonly at: number;
}

/** A node's part of one limit of one user, and the commands that wait for the next one. */
export class UserParts {
  /** True while the engine is asked. */
  isAsking = false;
  private held: HeldPart | undefined;
  private readonly waiting: WaitingCharge[] = [];
  /** Commands to ask for: twice as many as were used of a part that was used up. */
  private pace = 1;
  /** When a refusal is not believed any more, and when it ends, ms of the node's steady clock. */
  private refusal = { believedUntil: 0, until: 0 };
  /** From then on nothing here is of use, ms of the node's steady clock. */
  private keptUntil = 0;

  constructor(
    private readonly limit: UserLimit,
    private readonly user: string,
  ) {}

  /**
   * Takes a command of the part at hand; undefined if the engine is to be asked.
   * @throws GatewayError `rate_limited` if the engine is known to refuse
   */
  take(now: number): UserCharge | undefined {
    // Those that came earlier come first.
    if (this.isAsking) return undefined;
    if (this.held?.take(now)) return this.held;
    if (now < this.refusal.believedUntil) throw rateLimited(Math.ceil(this.refusal.until - now));
    return undefined;
  }

  /** Waits for the engine's answer. */
  wait(deadline: number): Promise<UserCharge> {
    return new Promise((resolve, reject) => this.waiting.push({ deadline, resolve, reject }));
  }

  /** The next request; undefined if nobody waits. */
  ask(now: number): Asked | undefined {
    this.dropLate(now);
    this.isAsking = this.waiting.length > 0;
    if (!this.isAsking) return undefined;
    const { held, user } = this;
    this.held = undefined;
    if (held) {
      held.told = true;
      this.pace = held.used >= held.part.count ? 2 * held.used : Math.max(1, held.used);
    }
    const wanted = Math.max(this.pace, this.waiting.length);
    const before = held && { ...held.part, used: held.used };
    return { at: now, request: { user, ...this.limit, wanted, ...(before && { before }) } };
  }

  /** Lets as many go on as the part has commands; what is left stays at hand. */
  given(part: LimitPart, { askedAt, now }: { readonly askedAt: number; readonly now: number }): void {
    const lifeMs = partLifeUs(this.limit.windowMs) / 1_000;
    const until = part.count > 1 ? askedAt + lifeMs : askedAt;
    const held = new HeldPart(part, until, () => void (this.refusal = { believedUntil: 0, until: 0 }));
    this.held = held;
    this.keptUntil = askedAt + lifeMs;
    held.used = 1;
    this.waiting.shift()!.resolve(held);
    while (this.waiting.length > 0 && held.take(now)) this.waiting.shift()!.resolve(held);
  }

  /** Refuses all that wait. */
  refused(waitMs: number, now: number): void {
    this.refusal = { believedUntil: now + Math.min(waitMs, BELIEVED_MS), until: now + waitMs };
    this.keptUntil = this.refusal.believedUntil;
    this.rejectAll(() => rateLimited(waitMs));
  }

  /** The engine was out of reach. Nothing is at hand any more: the engine may have been told that it is over. */
  failed(error: unknown): void {
    this.rejectAll(() => toGatewayError(toReadError(error)));
  }

  /** True if nothing here is of use any more. */
  isOver(now: number): boolean {
    return !this.isAsking && now >= this.keptUntil;
  }

  private rejectAll(error: () => Error): void {
    for (const { reject } of this.waiting.splice(0)) reject(error());
  }

  private dropLate(now: number): void {
    for (let i = this.waiting.length; i-- > 0;) {
      const { deadline, reject } = this.waiting[i]!;
      if (deadline > now) continue;
      this.waiting.splice(i, 1);
      reject(engineUnavailable());
    }
  }
}
