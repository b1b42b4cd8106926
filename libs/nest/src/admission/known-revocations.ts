import type { StandingStore } from '@wss/cluster';
import { isRevoked, ISSUER_LEEWAY_MS, type Standing } from '@wss/core';
import {
  type Admitted,
  IDENTITY_LEEWAY_MS,
  type KnownIdentity,
  RevocationSource,
  UpgradeRefusal,
} from '@wss/messaging';

/** Dependencies and settings of {@link KnownRevocations}. */
export interface KnownRevocationsOptions {
  readonly standings: StandingStore;
  /** Gives a connection that begins its generation. */
  readonly enter: (user: string, standing: Standing) => Promise<number>;
  /** Identities that were issued longer ago are refused: a revocation may have been forgotten since. */
  readonly maxTokenAgeMs: number;
  /** True if a user may have only one connection. */
  readonly single: boolean;
}

const REVOKED = {
  kind: 'revoked',
  check: 'revoked',
  log: 'its identity was issued before its user was revoked, or does not say when it was; a new token is accepted',
};

const TOO_OLD = {
  kind: 'too old',
  check: 'too old',
  log: 'its token was issued longer ago than maxTokenAgeMs (of the gateway MAX_TOKEN_AGE_MS) allows',
};

const EARLY = {
  kind: 'not yet valid',
  check: 'not yet valid',
  log: "its user was revoked, and its token (iat) is of the future; compare the clock of the issuer with Redis'",
};

/** How far ahead an identity may be to be waited for, ms. */
const WAITED_FOR_MS = 60_000;

/** Judges identities by what the engine keeps of their users, which is asked each time. */
export class KnownRevocations extends RevocationSource {
  /** The engine's clock when it was read last, and this process' steady one then (R30). */
  private read?: { readonly now: number; readonly at: number };

  constructor(private readonly options: KnownRevocationsOptions) {
    super();
  }

  /** A connection that may be the only one has to learn its generation. */
  get canJudgeLater(): boolean {
    return !this.options.single;
  }

  async check(admitted: Admitted): Promise<KnownIdentity> {
    const { standing, now } = await this.options.standings.read(admitted.user);
    this.read = { now, at: performance.now() };
    requireBegun(admitted, standing, now);
    const issuedAt = this.datedBy(now, admitted);
    if (isRevoked(issuedAt, standing))
      throw new UpgradeRefusal(401, 'the token was revoked; get a new one', REVOKED);
    return { standing, ...(issuedAt !== undefined && { issuedAt }) };
  }

  issuedAt(admitted: Admitted): number | undefined {
    const { read } = this;
    return this.datedBy(read ? read.now + performance.now() - read.at : Date.now(), admitted);
  }

  enter(user: string, standing: Standing): Promise<number> {
    return this.options.enter(user, standing);
  }

  /** No identity counts as issued later than a revocation that comes now: it would outlive that. */
  private datedBy(now: number, { issuedAt }: Admitted): number | undefined {
    if (issuedAt === undefined) return undefined;
    const date = issuedAt === 'now' ? now : Math.min(issuedAt, now + ISSUER_LEEWAY_MS);
    if (now - date > this.options.maxTokenAgeMs + IDENTITY_LEEWAY_MS)
      throw new UpgradeRefusal(401, 'the token is too old; get a new one', TOO_OLD);
    return date;
  }
}

/**
 * It can't be told if an identity of the future was issued before its user was revoked or after.
 * @throws UpgradeRefusal until its date
 */
function requireBegun({ issuedAt }: Admitted, { revokedAt }: Standing, now: number): void {
  if (revokedAt === undefined || typeof issuedAt !== 'number') return;
  const aheadMs = issuedAt - now - ISSUER_LEEWAY_MS;
  if (aheadMs <= 0) return;
  const retryAfterS = Math.ceil(aheadMs / 1_000);
  if (aheadMs > WAITED_FOR_MS) throw new UpgradeRefusal(401, 'the token is not valid yet', EARLY);
  throw new UpgradeRefusal(503, 'the token is not valid yet; try again', { ...EARLY, retryAfterS });
}
