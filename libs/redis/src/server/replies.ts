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
