/**
 * The time of a reply to `TIME`, ms since 1970; undefined for a reply that is none, which a proxy or a driver out of
 * step may bring.
 */
export function timeOf(reply: unknown): number | undefined {
  if (!Array.isArray(reply) || reply.length !== 2) return undefined;
  const [seconds, micros] = reply.map(Number) as [number, number];
  const time = seconds * 1_000 + micros / 1_000;
  return seconds > 0 && micros >= 0 && Number.isFinite(time) ? time : undefined;
}

/** The role that a reply to `ROLE` names; undefined for a reply that is none. */
export function roleOf(reply: unknown): 'master' | 'slave' | undefined {
  const role: unknown = Array.isArray(reply) ? reply[0] : undefined;
  return role === 'master' || role === 'slave' ? role : undefined;
}

/** Judges a reply, or an item of one. */
export type ReplyCheck = (reply: unknown) => boolean;

/** A text, the empty one included. */
export const isText: ReplyCheck = (reply) => typeof reply === 'string';

/** A number that came as one. */
export const isNumber: ReplyCheck = (reply) => Number.isSafeInteger(reply);

/** A whole number from 0 on that came as text, as scripts give instants. */
export const isDigits: ReplyCheck = (reply) => typeof reply === 'string' && /^\d{1,20}$/.test(reply);

/** The same, or one of these. */
export function isDigitsOr(...others: readonly unknown[]): ReplyCheck {
  return (reply) => others.includes(reply) || isDigits(reply);
}

/** A list of as many items as there are checks, each of which passes its own. */
export function isListOf(...checks: readonly ReplyCheck[]): ReplyCheck {
  return (reply) =>
    Array.isArray(reply) &&
    reply.length === checks.length &&
    checks.every((check, index) => check(reply[index]));
}

/** A list of any length, whose items all pass the check. */
export function isListOfAll(check: ReplyCheck): ReplyCheck {
  return (reply) => Array.isArray(reply) && reply.every(check);
}
