import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify, type JWTVerifyOptions } from 'jose';
import { IDENTITY_LEEWAY_MS } from '@wss/messaging';
import { deeperThan, isUserName, MAX_DEPTH, MAX_TOKEN_LENGTH } from '@wss/protocol';
import type { WssJwtOptions } from '../options/wss-options.js';
import { type KeyObserver, type LocalKeys, PublishedKeys } from './published-keys.js';

/** Identity of a token's bearer, as the token states it. */
export interface TokenIdentity {
  readonly user: string;
  /** Ms since 1970; absent when the token does not end. */
  readonly expiresAt?: number;
  /** Ms since 1970; absent when the token does not say it. */
  readonly issuedAt?: number;
  /** Everything that the token says. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** The checks of a token, in words that hold nothing of it. */
const CHECKS = {
  form: `its form (a signed token of at most ${MAX_TOKEN_LENGTH} bytes)`,
  algorithm: 'the algorithm',
  'unknown key': 'the key (no published key has its name)',
  signature: 'the signature (another key made it)',
  expired: 'its end (expired)',
  'not yet valid': 'its beginning (not yet valid)',
  issuer: 'the issuer',
  audience: 'the audience',
  claims: `its claims (exp, nbf and iat are numbers of seconds; at most ${MAX_DEPTH} levels)`,
  name: 'the claim that names the user (a text of 1 to 128 characters without control characters)',
} as const;

/** A check of tokens. */
export type TokenCheck = keyof typeof CHECKS;

/** The token proves nothing, and no short wait can mend that. */
export class TokenRefused extends Error {
  constructor(
    /** The check that failed. */
    readonly check: TokenCheck,
  ) {
    super(`its token failed the check of ${CHECKS[check]}`);
  }
}

/** The token is valid in a moment, unless its issuer's clock is wrong. */
export class TokenTooEarly extends Error {
  constructor(readonly retryAfterS: number) {
    super('the token is not valid yet');
  }
}

/** Claims of a token, by the checks that they fail. */
const CLAIMS: Readonly<Record<string, TokenCheck>> = {
  exp: 'expired',
  nbf: 'not yet valid',
  iss: 'issuer',
  aud: 'audience',
};

/** How far ahead the beginning of a token may be to be waited for, s. */
const EARLY_S = 60;

const ASCII = /^[\x20-\x7e]*$/;

/** Most published keys that are tried for a token that names none. */
const MOST_KEYS = 16;

/** Codes of errors that mean that no keys are available; they say nothing about the token. */
const NO_KEYS = new Set<string>([errors.JWKSTimeout.code, errors.JWKSInvalid.code, errors.JOSEError.code]);

type Verified = { readonly payload: JWTPayload };

/** How long a token may wait for keys, ms. */
export interface KeyTime {
  readonly keysWithinMs: number;
}

/** Verifies signed tokens (JWT): the signature first, then the claims. */
export class TokenVerifier {
  private readonly key: KeyObject | PublishedKeys;
  private readonly options: JWTVerifyOptions;
  private readonly userClaim: string;

  /** @throws Error when the key is invalid. */
  constructor(
    {
      secret,
      publicKey,
      jwksUrl,
      issuer,
      audience,
      userClaim = 'sub',
      keysWithinMs,
    }: WssJwtOptions & Partial<KeyTime>,
    observer: KeyObserver,
  ) {
    this.userClaim = userClaim;
    if (secret !== undefined) this.key = createSecretKey(Buffer.from(secret));
    else if (publicKey !== undefined) this.key = createPublicKey(publicKey);
    else this.key = new PublishedKeys(new URL(jwksUrl!).href, observer, keysWithinMs);
    this.options = {
      // The algorithms are named, so that a token can't choose how it is verified.
      algorithms: secret !== undefined ? ['HS256'] : ['RS256', 'ES256'],
      clockTolerance: IDENTITY_LEEWAY_MS / 1_000,
      ...(issuer !== undefined && { issuer }),
      ...(audience !== undefined && { audience }),
    };
  }

  /** @throws TokenRefused, TokenTooEarly, KeysUnavailable; any other Error is a fault of the key. */
  async verify(token: string): Promise<TokenIdentity> {
    // The library takes other characters for faults of the caller.
    if (Buffer.byteLength(token) > MAX_TOKEN_LENGTH || !ASCII.test(token)) throw new TokenRefused('form');
    const { payload } = await this.proven(token);
    // Copying, freezing and writing claims takes a call for each level.
    if (deeperThan(payload, MAX_DEPTH)) throw new TokenRefused('claims');
    const { exp, iat } = payload;
    for (const instant of [exp, iat]) {
      if (instant !== undefined && !Number.isFinite(instant * 1_000)) throw new TokenRefused('claims');
    }
    const user: unknown = payload[this.userClaim];
    if (!isUserName(user)) throw new TokenRefused('name');
    return {
      ...{ user, claims: payload },
      ...(exp !== undefined && { expiresAt: exp * 1_000 }),
      ...(iat !== undefined && { issuedAt: iat * 1_000 }),
    };
  }

  /** Ends waits for keys. */
  close(): void {
    if (this.key instanceof PublishedKeys) this.key.close();
  }

  private async proven(token: string): Promise<Verified> {
    try {
      return await this.verified(token, this.options);
    } catch (error) {
      const beginsAt = beginOf(error);
      if (beginsAt !== undefined) await this.requireEarly(token, beginsAt);
      if (!(error instanceof errors.JOSEError) || NO_KEYS.has(error.code)) throw error;
      throw new TokenRefused(checkOf(error));
    }
  }

  /**
   * Finds out if a token is good when it begins.
   * @throws TokenTooEarly when it is, and begins soon
   */
  private async requireEarly(token: string, beginsAt: number): Promise<void> {
    const aheadS = beginsAt - Date.now() / 1_000;
    if (aheadS > EARLY_S) return;
    const then = { ...this.options, currentDate: new Date(beginsAt * 1_000) };
    const isGood = await this.verified(token, then).then(
      () => true,
      () => false,
    );
    if (isGood) throw new TokenTooEarly(Math.max(1, Math.ceil(aheadS)));
  }

  private verified(token: string, options: JWTVerifyOptions): Promise<Verified> {
    const { key } = this;
    if (!(key instanceof PublishedKeys)) return jwtVerify(token, key, options);
    return key.use(
      (keys) => verifiedWith(keys, token, options),
      (error) => lacksKey(error, token),
    );
  }
}

/** A token that names no key may be signed with any that fits. */
async function verifiedWith(keys: LocalKeys, token: string, options: JWTVerifyOptions): Promise<Verified> {
  try {
    return await jwtVerify(token, keys, options);
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    let tried = 0;
    for await (const key of error) {
      if (tried++ === MOST_KEYS) break;
      const verified = await jwtVerify(token, key, options).catch((failed: unknown) => {
        if (!(failed instanceof errors.JWSSignatureVerificationFailed)) throw failed;
      });
      if (verified) return verified;
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

/** True if the token may be signed with a key that was published just now. */
function lacksKey(error: unknown, token: string): boolean {
  if (error instanceof errors.JWKSNoMatchingKey) return true;
  return (
    error instanceof errors.JWSSignatureVerificationFailed && decodeProtectedHeader(token).kid === undefined
  );
}

/** The beginning of a token that is refused because of it alone so far, s since 1970. */
function beginOf(error: unknown): number | undefined {
  const isEarly = error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf';
  return isEarly && typeof error.payload.nbf === 'number' ? error.payload.nbf : undefined;
}

/** The check that a token failed. */
function checkOf(error: InstanceType<typeof errors.JOSEError>): TokenCheck {
  if (error instanceof errors.JWTExpired || error instanceof errors.JWTClaimValidationFailed)
    return error.reason === 'invalid' ? 'claims' : (CLAIMS[error.claim] ?? 'claims');
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature';
  if (error instanceof errors.JWKSNoMatchingKey) return 'unknown key';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'algorithm';
  return 'form';
}
