import {
  engineUnavailable,
  rateLimited,
  toGatewayError,
  toReadError,
  type UserCharge,
  type UserLimit,
} from '@wss/core';
import { StoreError } from '../store/store-errors.js';
import { type LimitPart, partLifeUs, type PartRequest } from './part-store.js';

/** Longest time for which a refusal is believed, ms: another node may give back what it did not use. */
const BELIEVED_MS = 1_000;
/** A part that is not used for a sixth of its time is given back, but not before this, ms. */
const LEAST_IDLE_MS = 1_000;

/** Commands that go on, or are refused, in one turn of the event loop. */
const AT_ONCE = 16;

/** Answers to those that wait; each step takes place in a turn of the event loop of its own. */
export type Steps = Generator<void, void>;

/** A part at hand, and what of it was used. */
class HeldPart implements UserCharge {
  used = 0;
  /** When a command was taken last, ms of the node's steady clock. */
  usedAt = 0;
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
    this.use(now);
    return true;
  }

  use(now: number): void {
    this.used++;
    this.usedAt = now;
  }

  /** Commands that nobody has used. */
  get left(): number {
    return this.part.count - this.used;
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
  /** The part of which the engine is being told. */
  private telling: HeldPart | undefined;
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
    const before = this.tell(now);
    return { at: now, request: this.request(Math.max(this.pace, this.waiting.length), before) };
  }

  /** True while there is something that {@link giveBack} may have to give back. */
  get lends(): boolean {
    return !this.isAsking && this.held !== undefined && this.held.left > 0;
  }

  /** True if the part at hand was not used for so long that others may need it more. */
  isIdle(now: number): boolean {
    return this.held !== undefined && (now >= this.held.until || now - this.held.usedAt >= this.idleMs);
  }

  /** The request that only gives back what was not used; call it only while it {@link lends}. */
  giveBack(now: number): Asked {
    this.isAsking = true;
    return { at: now, request: this.request(0, this.tell(now)) };
  }

  private get idleMs(): number {
    const lifeMs = partLifeUs(this.limit.windowMs) / 1_000;
    return Math.min(lifeMs, Math.max(lifeMs / 6, LEAST_IDLE_MS));
  }

  private request(wanted: number, before: PartRequest['before']): PartRequest {
    return { user: this.user, ...this.limit, wanted, ...(before && { before }) };
  }

  /** Ends the part at hand. Only one that was used up soon lets the next one be bigger. */
  private tell(now: number): PartRequest['before'] {
    const { held } = this;
    this.telling = held;
    this.held = undefined;
    if (!held) return undefined;
    held.told = true;
    const isQuick = held.left <= 0 && now - held.usedAt < this.idleMs;
    this.pace = isQuick ? 2 * held.used : Math.max(1, held.used);
    return { ...held.part, used: held.used };
  }

  /** Lets as many go on as the part has commands, some of them in each step; what is left stays at hand. */
  *given(part: LimitPart, { askedAt, now }: { readonly askedAt: number; readonly now: () => number }): Steps {
    const lifeMs = partLifeUs(this.limit.windowMs) / 1_000;
    const until = part.count > 1 ? askedAt + lifeMs : askedAt;
    const held = new HeldPart(part, until, () => void (this.refusal = { believedUntil: 0, until: 0 }));
    this.held = held;
    this.keptUntil = askedAt + lifeMs;
    held.use(now());
    this.waiting.shift()!.resolve(held);
    for (let count = 2; this.waiting.length > 0 && held.take(now()); count++) {
      this.waiting.shift()!.resolve(held);
      if (count % AT_ONCE === 0) yield;
    }
  }

  /** Refuses all that wait, some of them in each step. */
  refused(waitMs: number, now: number): Steps {
    this.refusal = { believedUntil: now + Math.min(waitMs, BELIEVED_MS), until: now + waitMs };
    this.keptUntil = this.refusal.believedUntil;
    return this.rejectAll(() => rateLimited(waitMs));
  }

  /** The engine was out of reach. If it may have been told that a part is over, nothing of it is at hand any more. */
  failed(error: unknown): Steps {
    if (this.telling && error instanceof StoreError && error.outcome === 'unavailable') {
      this.held = this.telling;
      this.held.told = false;
    }
    return this.rejectAll(() => toGatewayError(toReadError(error)));
  }

  /** True if nothing here is of use any more. */
  isOver(now: number): boolean {
    return !this.isAsking && !this.lends && now >= this.keptUntil;
  }

  private *rejectAll(error: () => Error): Steps {
    const all = this.waiting.splice(0);
    while (all.length > 0) {
      for (const { reject } of all.splice(0, AT_ONCE)) reject(error());
      if (all.length > 0) yield;
    }
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
