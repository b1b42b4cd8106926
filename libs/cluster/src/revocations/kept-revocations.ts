import { Logger } from '@nestjs/common';
import { ENDED_GENERATION } from '@wss/core';
import { LogGate } from '@wss/protocol';
import type { SessionStore } from '../sessions/session-store.js';
import type { StandingStore } from '../users/standing-store.js';

/** A revocation that this node has carried out. */
export type KeptRevocation =
  /** A user's, as of an instant of the engine's clock. */
  | { readonly user: string; readonly at: number; readonly history: string }
  /** A session's. */
  | { readonly session: string; readonly history: string };

/** Dependencies and settings of the revocations that a node keeps. */
export interface KeptRevocationsOptions {
  readonly standings: StandingStore;
  readonly sessions: SessionStore;
  /** Carries a revocation out again: the engine has lost it, or it may be on another history now. */
  readonly repeat: (revocation: KeptRevocation, cause: 'lost' | 'unproven') => Promise<void>;
  /** True if the engine can prove that something survives a failover. */
  readonly canBeDurable: boolean;
}

/** How often the engine is asked if it still has them, ms. */
const EVERY_MS = 1_000;
/** Number that is looked at in one go. */
const AT_ONCE = 500;
/** Largest number that is kept; the oldest is dropped. */
const MOST = 10_000;
/** How long one is kept that can't be proven to survive a failover, ms. */
const KEPT_MS = 3_600_000;
/** How long a proof may take, ms. */
const PROOF_MS = 1_000;

/**
 * Keeps the revocations of this node until they are proven to survive every failover, and repeats those that one has
 * lost (R39). Where nothing can be proven they are kept for an hour, at most 10,000 of them.
 */
export class KeptRevocations {
  private readonly faults = new LogGate((line) => new Logger('Users').warn(line));
  /** By what they revoke → revocation, and since when it is kept on this process' steady clock, ms. */
  private readonly kept = new Map<string, { readonly revocation: KeptRevocation; readonly since: number }>();
  private readonly timer: NodeJS.Timeout;
  private looking?: Promise<void>;

  constructor(private readonly options: KeptRevocationsOptions) {
    this.timer = setInterval(() => this.look(), EVERY_MS).unref();
  }

  /** Keeps one in the place of an older one; a repeated one does not take the place of a later one. */
  keep(revocation: KeptRevocation): void {
    const key = keyOf(revocation);
    const known = this.kept.get(key)?.revocation;
    if (known && 'user' in known && 'user' in revocation && known.at > revocation.at) return;
    this.kept.delete(key);
    this.kept.set(key, { revocation, since: performance.now() });
    if (this.kept.size > MOST) this.kept.delete(this.kept.keys().next().value!);
  }

  /** Forgets one that survives every failover, unless a later one has taken its place. */
  proven(revocation: KeptRevocation): void {
    if (this.kept.get(keyOf(revocation))?.revocation === revocation) this.kept.delete(keyOf(revocation));
  }

  /** Number of revocations that are kept. */
  get size(): number {
    return this.kept.size;
  }

  close(): void {
    clearInterval(this.timer);
  }

  /** Looks now: the engine may have lost some. */
  look(): void {
    if (this.kept.size === 0) return;
    this.looking ??= this.lookAtAll()
      .catch((error: Error) =>
        this.faults.report('look', `it is not known now if revocations are in force: ${error.message}`),
      )
      .finally(() => delete this.looking);
  }

  private async lookAtAll(): Promise<void> {
    const before = performance.now() - KEPT_MS;
    for (const [key, { since }] of this.kept) if (since < before) this.kept.delete(key);
    const all = [...this.kept.values()].map(({ revocation }) => revocation);
    for (let from = 0; from < all.length; from += AT_ONCE) await this.lookAt(all.slice(from, from + AT_ONCE));
  }

  private async lookAt(revocations: readonly KeptRevocation[]): Promise<void> {
    const users = revocations.filter((one) => 'user' in one);
    const sessions = revocations.filter((one) => 'session' in one);
    const [standings, generations] = await Promise.all([
      this.options.standings.of(users.map(({ user }) => user)),
      this.options.sessions.generations(sessions.map(({ session }) => session)),
    ]);
    const lost = [
      ...users.filter(({ at }, i) => (standings[i]!.revokedAt ?? 0) < at),
      ...sessions.filter((_, i) => generations[i] !== ENDED_GENERATION),
    ];
    for (const revocation of lost) await this.options.repeat(revocation, 'lost');
    if (this.options.canBeDurable) await this.prove(revocations.filter((one) => !lost.includes(one)));
  }

  private async prove(revocations: readonly KeptRevocation[]): Promise<void> {
    const { standings, sessions } = this.options;
    await Promise.all(
      revocations.map(async (one) => {
        const isProven = await ('user' in one
          ? standings.durable(one.user, one.history, PROOF_MS)
          : sessions.durable(one.session, one.history, PROOF_MS));
        if (isProven) this.proven(one);
        else await this.options.repeat(one, 'unproven');
      }),
    );
  }
}

function keyOf(revocation: KeptRevocation): string {
  return 'user' in revocation ? `u ${revocation.user}` : `s ${revocation.session}`;
}
