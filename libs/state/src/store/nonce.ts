import { randomBytes } from 'node:crypto';

const NONCES = randomBytes(6).toString('base64url');
let nonces = 0;

/** A new one for every call: two branches of a history must never mint the same epoch. */
export function newNonce(): string {
  return NONCES + (nonces++).toString(36);
}
