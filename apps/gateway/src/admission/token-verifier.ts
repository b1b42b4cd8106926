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
import type { Config } from '../config.js';

/** Identity of a token's bearer, as the token states it. */
export interface TokenIdentity {
  readonly user: string;
  /** Ms since 1970; absent when the token does not end. */
  readonly expiresAt?: number;
}

/** The token proves nothing: it is malformed, expired, signed by another issuer, or meant for another audience. */
export class TokenRefused extends Error {}

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

  /** @throws Error when the key of the configuration is invalid. */
  constructor(private readonly config: Config) {
    const { JWT_SECRET, JWT_PUBLIC_KEY, JWT_JWKS_URL, JWT_ISSUER, JWT_AUDIENCE } = config;
    const asymmetric = ['RS256', 'ES256'];
    if (JWT_SECRET !== undefined) this.key = createSecretKey(Buffer.from(JWT_SECRET));
    else if (JWT_PUBLIC_KEY !== undefined) this.key = createPublicKey(JWT_PUBLIC_KEY);
    else this.key = createRemoteJWKSet(new URL(JWT_JWKS_URL!));
    this.options = {
      // The algorithms are named, so that a token can't choose how it is verified.
      algorithms: JWT_SECRET !== undefined ? ['HS256'] : asymmetric,
      clockTolerance: IDENTITY_LEEWAY_MS / 1_000,
      ...(JWT_ISSUER !== undefined && { issuer: JWT_ISSUER }),
      ...(JWT_AUDIENCE !== undefined && { audience: JWT_AUDIENCE }),
    };
  }

  /**
   * @throws TokenRefused; any other Error when the keys can't be fetched.
   */
  async verify(token: string): Promise<TokenIdentity> {
    const { payload } = await this.verifySignature(token);
    const user: unknown = payload[this.config.JWT_USER_CLAIM];
    if (typeof user !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(user)) {
      throw new TokenRefused(`the token has no "${this.config.JWT_USER_CLAIM}" that names a user`);
    }
    return payload.exp === undefined ? { user } : { user, expiresAt: payload.exp * 1_000 };
  }

  private async verifySignature(token: string): Promise<{ payload: JWTPayload }> {
    const { key, options } = this;
    try {
      return await (typeof key === 'function'
        ? jwtVerify(token, key, options)
        : jwtVerify(token, key, options));
    } catch (error) {
      if (!(error instanceof errors.JOSEError) || NO_KEYS.has(error.code)) throw error;
      throw new TokenRefused(error.message);
    }
  }
}
