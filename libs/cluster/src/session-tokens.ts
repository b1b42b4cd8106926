import { createHmac, timingSafeEqual } from 'node:crypto';
import type { SessionClaim } from './session-store.js';

/**
 * Resume tokens: `<claim>.<HMAC-SHA256>`, both base64url, so that they fit into a subprotocol. Whoever holds one
 * can continue the session; it names no secret of the user.
 */
export class SessionTokens {
  constructor(private readonly secret: string) {}

  sign({ id, user, generation, endsAt }: SessionClaim): string {
    const claim = Buffer.from(JSON.stringify([id, generation, endsAt, user])).toString('base64url');
    return `${claim}.${this.signature(claim)}`;
  }

  /** The claim of a token that we signed; nothing of any other text. */
  verify(token: string): SessionClaim | undefined {
    const [claim = '', signature = '', ...rest] = token.split('.');
    const expected = Buffer.from(this.signature(claim));
    const given = Buffer.from(signature);
    if (rest.length > 0 || given.length !== expected.length || !timingSafeEqual(given, expected))
      return undefined;
    const parts = JSON.parse(Buffer.from(claim, 'base64url').toString()) as [string, number, number, string];
    const [id, generation, endsAt, user] = parts;
    return { id, generation, endsAt, user };
  }

  private signature(claim: string): string {
    return createHmac('sha256', this.secret).update(claim).digest('base64url');
  }
}
