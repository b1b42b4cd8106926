import { MAX_TOKEN_LENGTH, TOKEN64_PREFIX, TOKEN_PREFIX } from '@wss/protocol';
import { WssError } from '../values/errors.js';
import { utf8 } from './requests.js';

/** Characters that a subprotocol may consist of (RFC 9110, token). */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

/**
 * Checks a token before it is sent; an empty one counts as absent.
 * @throws WssError `bad_token` when it is not a string, or too long
 * @internal
 */
export function checkToken(token: unknown): string | undefined {
  if (!token) return undefined;
  if (typeof token === 'string' && utf8(token).length <= MAX_TOKEN_LENGTH) return token;
  throw new WssError('bad_token', `token: string, at most ${MAX_TOKEN_LENGTH} bytes`);
}

/**
 * The subprotocol that carries a token.
 * @internal
 */
export function tokenProtocol(token: string): string {
  if (TOKEN.test(token)) return TOKEN_PREFIX + token;
  const base64 = btoa(String.fromCharCode(...utf8(token)));
  return TOKEN64_PREFIX + base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
