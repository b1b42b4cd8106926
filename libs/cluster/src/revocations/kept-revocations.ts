import { ENDED_GENERATION } from '@wss/core';
import { KeptWrites } from '../keeping/kept-writes.js';
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

/** How long a proof may take, ms. */
const PROOF_MS = 1_000;

/** Keeps the revocations of this node, and repeats those that a failover has lost (R39). */
export class KeptRevocations {
  /** By what they revoke. */
  private readonly kept: KeptWrites<KeptRevocation>;

  constructor(private readonly options: KeptRevocationsOptions) {
    const lookAt = (revocations: readonly KeptRevocation[]): Promise<void> => this.lookAt(revocations);
    this.kept = new KeptWrites({ logger: 'Users', what: 'revocations', lookAt });
  }

  /** Keeps one in the place of an older one; a repeated one does not take the place of a later one. */
  keep(revocation: KeptRevocation): void {
    const key = keyOf(revocation);
    const known = this.kept.get(key);
    if (known && 'user' in known && 'user' in revocation && known.at > revocation.at) return;
    this.kept.keep(key, revocation);
  }

  /** Forgets one that survives every failover, unless a later one has taken its place. */
  proven(revocation: KeptRevocation): void {
    const key = keyOf(revocation);
    if (this.kept.get(key) === revocation) this.kept.forget(key);
  }

  /** Number of revocations that are kept. */
  get size(): number {
    return this.kept.size;
  }

  close(): void {
    this.kept.close();
  }

  /** Looks now: the engine may have lost some. Never rejects. */
  look(): Promise<void> {
    return this.kept.look();
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
