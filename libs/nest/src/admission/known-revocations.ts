import type { StandingStore } from '@wss/cluster';
import { isRevoked, type Standing } from '@wss/core';
import { type Admitted, IDENTITY_LEEWAY_MS, RevocationSource, UpgradeRefusal } from '@wss/messaging';

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

/** Judges identities by what the engine keeps of their users, which is asked each time. */
export class KnownRevocations extends RevocationSource {
  constructor(private readonly options: KnownRevocationsOptions) {
    super();
  }

  /** A connection that may be the only one has to learn its generation. */
  get canJudgeLater(): boolean {
    return !this.options.single;
  }

  async check({ user, issuedAt }: Admitted): Promise<Standing> {
    this.requireYoung(issuedAt);
    const [standing] = await this.options.standings.of([user]);
    if (isRevoked(issuedAt, standing!))
      throw new UpgradeRefusal(401, 'the token was revoked; get a new one', REVOKED);
    return standing!;
  }

  enter(user: string, standing: Standing): Promise<number> {
    return this.options.enter(user, standing);
  }

  /** The node's clock judges tokens, as it does their end (R30). */
  private requireYoung(issuedAt: number | undefined): void {
    const { maxTokenAgeMs } = this.options;
    if (issuedAt === undefined || Date.now() - issuedAt <= maxTokenAgeMs + IDENTITY_LEEWAY_MS) return;
    throw new UpgradeRefusal(401, 'the token is too old; get a new one', {
      kind: 'too old',
      check: 'too old',
      log: 'its token was issued longer ago than maxTokenAgeMs (of the gateway MAX_TOKEN_AGE_MS) allows',
    });
  }
}
