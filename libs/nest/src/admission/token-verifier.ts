import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import {
  createRemoteJWKSet,
  errors,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
} from 'jose';
import { IDENTITY_LEEWAY_MS } from '@wss/messaging';
import type { WssJwtOptions } from '../options/wss-options.js';

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

/** The token proves nothing: it is malformed, expired, signed by another issuer, or meant for another audience. */
export class TokenRefused extends Error {
  constructor(
    /** The check that failed, in words that hold nothing of the token. */
    readonly check: string,
  ) {
    super(`the token failed the check of ${check}`);
  }
}

/** Claims of a token, by the checks that they fail. */
const CLAIMS: Readonly<Record<string, string>> = {
  exp: 'its end (expired)',
  nbf: 'its beginning (not yet valid)',
  iss: 'the issuer',
  aud: 'the audience',
};

/** The check that a token failed. */
function checkOf(error: InstanceType<typeof errors.JOSEError>): string {
  if (error instanceof errors.JWTExpired || error instanceof errors.JWTClaimValidationFailed)
    return CLAIMS[error.claim] ?? 'its claims';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'the signature (another key made it)';
  if (error instanceof errors.JWKSNoMatchingKey) return 'the key (no published key has its name)';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'the algorithm';
  return 'its form (it is no signed token)';
}

/** Codes of errors that mean that no keys are available; they say nothing about the token. */
const NO_KEYS = new Set([
  errors.JWKSTimeout.code,
  errors.JWKSInvalid.code,
  // The key server answered with an error status.
  errors.JOSEError.code,
]);

/** Verifies signed tokens (JWT). */
export class TokenVerifier {
  private readonly key: KeyObject | JWTVerifyGetKey;
  private readonly options: JWTVerifyOptions;

  private readonly userClaim: string;

  /** @throws Error when the key is invalid. */
  constructor({ secret, publicKey, jwksUrl, issuer, audience, userClaim = 'sub' }: WssJwtOptions) {
    const asymmetric = ['RS256', 'ES256'];
    this.userClaim = userClaim;
    if (secret !== undefined) this.key = createSecretKey(Buffer.from(secret));
    else if (publicKey !== undefined) this.key = createPublicKey(publicKey);
    else this.key = createRemoteJWKSet(new URL(jwksUrl!));
    this.options = {
      // The algorithms are named, so that a token can't choose how it is verified.
      algorithms: secret !== undefined ? ['HS256'] : asymmetric,
      clockTolerance: IDENTITY_LEEWAY_MS / 1_000,
      ...(issuer !== undefined && { issuer }),
      ...(audience !== undefined && { audience }),
    };
  }

  /**
   * @throws TokenRefused; any other Error when the keys can't be fetched.
   */
  async verify(token: string): Promise<TokenIdentity> {
    const { payload } = await this.verifySignature(token);
    const user: unknown = payload[this.userClaim];
    if (typeof user !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(user)) {
      throw new TokenRefused(`the claim "${this.userClaim}" (it must name a user)`);
    }
    const { exp, iat } = payload;
    return {
      ...{ user, claims: payload },
      ...(exp !== undefined && { expiresAt: exp * 1_000 }),
      ...(iat !== undefined && { issuedAt: iat * 1_000 }),
    };
  }

  private async verifySignature(token: string): Promise<{ payload: JWTPayload }> {
    const { key, options } = this;
    try {
      return await (typeof key === 'function'
        ? jwtVerify(token, key, options)
        : jwtVerify(token, key, options));
    } catch (error) {
      if (!(error instanceof errors.JOSEError) || NO_KEYS.has(error.code)) throw error;
      throw new TokenRefused(checkOf(error));
    }
  }
}
