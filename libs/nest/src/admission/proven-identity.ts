import { type Admitted, UpgradeRefusal } from '@wss/messaging';

const USER = /^[^\p{Cc}\p{Cs}]{1,128}$/u;

/**
 * An identity as an application's class returned it. Nobody is let in by a mistake there: without a user, or for
 * ever because the end can't be compared.
 * @throws Error that names the part that is wrong, without data
 */
export function provenIdentity(returned: Admitted, name: string): Admitted {
  const { user, expiresAt, claims } = (returned ?? {}) as Partial<Record<keyof Admitted, unknown>>;
  if (typeof user !== 'string' || !USER.test(user)) {
    throw new Error(
      `the user that ${name} returns must be a text of 1 to 128 characters without control characters`,
    );
  }
  if (expiresAt !== undefined && !Number.isFinite(expiresAt)) {
    throw new Error(`the expiresAt that ${name} returns must be a number of ms since 1970`);
  }
  if (claims !== undefined && (typeof claims !== 'object' || claims === null || Array.isArray(claims))) {
    throw new Error(`the claims that ${name} returns must be an object`);
  }
  return returned;
}

/**
 * The identity that renews a client's.
 * @throws UpgradeRefusal 401 when it is another user's
 */
export function sameUser(identity: Admitted, user: string): Admitted {
  if (identity.user === user) return identity;
  throw new UpgradeRefusal(401, 'the token belongs to another user');
}
