import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { SessionClaim } from './session-store.js';

/** A secret that signs or verifies tokens, and the name by which tokens know it. */
export interface SigningKey {
  readonly id: string;
  readonly secret: string;
}

/** Returns the key of a secret. */
export function signingKey(secret: string): SigningKey {
  const id = createHash('sha256').update(`wss session key\n${secret}`).digest('base64url').slice(0, 8);
  return { id, secret };
}

/** The content of a token; those of older releases name no key, or neither start nor history. */
type TokenClaim = [
  id: string,
  generation: number,
  endsAt: number,
  user: string,
  key?: string,
  startedAt?: number | null,
  history?: string | null,
];

/**
 * Resume tokens: `<claim>.<HMAC-SHA256>`, both base64url, so that they fit into a subprotocol. The bearer of a token
 * can resume the session; it contains no secret of the user. The first key signs, all verify (R33).
 */
export class SessionTokens {
  constructor(private readonly keys: () => readonly SigningKey[]) {}

  sign({ id, user, generation, endsAt, startedAt, history }: SessionClaim): string {
    const [key] = this.keys();
    const parts: TokenClaim = [id, generation, endsAt, user, key!.id, startedAt ?? null, history || null];
    const claim = Buffer.from(JSON.stringify(parts)).toString('base64url');
    return `${claim}.${signatureOf(claim, key!)}`;
  }

  /** Returns the claim of a token that one of our keys signed; undefined for any other text. */
  verify(token: string): SessionClaim | undefined {
    const [claim = '', signature = '', ...rest] = token.split('.');
    const parts = read(claim);
    if (rest.length > 0 || !parts) return undefined;
    const [id, generation, endsAt, user, named, startedAt, history] = parts;
    const keys = this.keys().filter((key) => named === undefined || key.id === named);
    if (!keys.some((key) => isEqual(signature, signatureOf(claim, key)))) return undefined;
    return { id, generation, endsAt, user, ...(startedAt && { startedAt }), ...(history && { history }) };
  }

  /** True if a token names a key that we do not have. */
  isOfUnknownKey(token: string): boolean {
    const named = read(token.split('.')[0]!)?.[4];
    return named !== undefined && !this.keys().some(({ id }) => id === named);
  }
}

function read(claim: string): TokenClaim | undefined {
  try {
    const parts = JSON.parse(Buffer.from(claim, 'base64url').toString()) as unknown;
    return Array.isArray(parts) ? (parts as TokenClaim) : undefined;
  } catch {
    return undefined;
  }
}

function signatureOf(claim: string, { secret }: SigningKey): string {
  return createHmac('sha256', secret).update(claim).digest('base64url');
}

function isEqual(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
