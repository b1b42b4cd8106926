/**
 * Facts about a user that the engine keeps while they matter, and that bind each connection of the user, on every node.
 * Generations of a user are microseconds since 1970 by the engine's clock, and always rise.
 */
export interface Standing {
  /** When the user was revoked last, ms since 1970 by the engine's clock; absent: never. */
  readonly revokedAt?: number;
  /** Connections of an older generation are disconnected; 0: none. */
  readonly disconnected: number;
  /** The newest connection of a user who may have only one; 0: unknown. */
  readonly newest: number;
}

/** A user about whom nothing is kept. */
export const NO_STANDING: Standing = Object.freeze({ disconnected: 0, newest: 0 });

/** The facts about a connection that its user's standing decides on. */
export interface JudgedConnection {
  /** When its identity was issued, ms since 1970; absent: unknown. */
  readonly issuedAt?: number | undefined;
  /** Generation of the user when it came. */
  readonly generation: number;
}

/** How a standing ends a connection. */
export type StandingVerdict = 'revoked' | 'disconnected' | 'elsewhere';

/** How far the clocks of issuers of tokens may be ahead of Redis', ms. */
export const ISSUER_LEEWAY_MS = 2_000;

/** The generation of a session that was ended for good: no connection has a newer one. */
export const ENDED_GENERATION = Number.MAX_SAFE_INTEGER;

/**
 * True if an identity was issued before its user was revoked, or may have been (R39): tokens have whole seconds, and
 * clocks that differ.
 */
export function isRevoked(issuedAt: number | undefined, { revokedAt }: Standing): boolean {
  if (revokedAt === undefined) return false;
  if (issuedAt === undefined) return true;
  return issuedAt <= Math.ceil(revokedAt / 1_000) * 1_000 + ISSUER_LEEWAY_MS;
}

/** The reason for which a connection must end; undefined if it may stay. */
export function verdictOn(connection: JudgedConnection, standing: Standing): StandingVerdict | undefined {
  if (isRevoked(connection.issuedAt, standing)) return 'revoked';
  const { disconnected, newest } = standing;
  if (connection.generation >= Math.max(disconnected, newest)) return undefined;
  return newest > disconnected ? 'elsewhere' : 'disconnected';
}
