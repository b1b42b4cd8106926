import { MAX_TOKEN_LENGTH, TOKEN64_PREFIX, TOKEN_PREFIX } from '@wss/protocol';
import { WssError } from './errors.js';

/** Characters that a subprotocol may consist of (RFC 9110, token). */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

/**
 * Checks a token before anybody is asked to take it.
 * @throws WssError `bad_token` when it is too long
 * @internal
 */
export function checkToken(token: string): string {
  const { length } = token;
  if (length <= MAX_TOKEN_LENGTH) return token;
  throw new WssError(
    'bad_token',
    `the token has ${length} characters: issue one of at most ${MAX_TOKEN_LENGTH}`,
  );
}

/**
 * The subprotocol that carries a token.
 * @internal
 */
export function tokenProtocol(token: string): string {
  if (TOKEN.test(token)) return TOKEN_PREFIX + token;
  const base64 = btoa(String.fromCharCode(...new TextEncoder().encode(token)));
  return TOKEN64_PREFIX + base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
