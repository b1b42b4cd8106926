import { HttpException } from '@nestjs/common';
import { type Admitted, ownClaims, UpgradeRefusal } from '@wss/messaging';
import { isUserName } from '@wss/protocol';

/** Statuses with which an upgrade can be refused. */
const REFUSALS: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 429, 503]);

/**
 * The refusal that an application's class means when it throws: Nest's HTTP exceptions refuse, too. One of the
 * client's faults that an upgrade does not know is 403; anything else stays as it is, a fault of the class.
 */
export function meantRefusal(thrown: unknown): unknown {
  if (!(thrown instanceof HttpException)) return thrown;
  const status = thrown.getStatus();
  if (status !== 503 && status >= 500) return thrown;
  const known = REFUSALS.has(status) ? status : 403;
  return new UpgradeRefusal(known, thrown.message);
}

/**
 * An identity as an application's class returned it, with claims of its own. Nobody is let in by a mistake there:
 * without a user, or for ever because the end can't be compared.
 * @throws Error that names the part that is wrong, without data
 */
export function provenIdentity(returned: Admitted, name: string): Admitted {
  const { user, expiresAt, issuedAt, claims } = (returned ?? {}) as Partial<Record<keyof Admitted, unknown>>;
  if (!isUserName(user)) {
    throw new Error(
      `the user that ${name} returns must be a text of 1 to 128 characters without control characters`,
    );
  }
  for (const [part, instant] of Object.entries({ expiresAt, issuedAt })) {
    if (part === 'issuedAt' && instant === 'now') continue;
    if (instant !== undefined && !Number.isFinite(instant))
      throw new Error(`the ${part} that ${name} returns must be a number of ms since 1970`);
  }
  return claims === undefined ? returned : { ...returned, claims: ownClaims(claims, `${name} returns`) };
}

/**
 * The identity that renews a client's.
 * @throws UpgradeRefusal 401 when it is another user's
 */
export function sameUser(identity: Admitted, user: string): Admitted {
  if (identity.user === user) return identity;
  throw new UpgradeRefusal(401, 'the token belongs to another user', { check: 'name' });
}
