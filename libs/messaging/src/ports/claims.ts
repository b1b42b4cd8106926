import { isDeepStrictEqual } from 'node:util';

type ClaimSet = Readonly<Record<string, unknown>>;

/** The claims that connect guards gave a client beside those of its admission; a newer token does not change them. */
export interface AttachedClaims {
  /** Those that they added or changed. */
  readonly set: ClaimSet;
  /** Names of those that they took away. */
  readonly removed: ReadonlySet<string>;
}

/**
 * A copy of claims that is frozen to its depth: handlers of all messages share it.
 * @param source text for the error: where the claims come from, and a verb
 * @throws Error when they are not plain data
 */
export function ownClaims(claims: unknown, source: string): ClaimSet {
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) {
    throw new Error(`the claims that ${source} must be an object`);
  }
  try {
    return deepFrozen(structuredClone(claims) as Record<string, unknown>);
  } catch (cause) {
    throw new Error(`the claims that ${source} must be plain data`, { cause });
  }
}

/** The difference between the claims that guards have left and those that admission had proven. */
export function attachedTo(proven: ClaimSet, left: ClaimSet): AttachedClaims | undefined {
  const isNew = ([name, value]: [string, unknown]): boolean =>
    !Object.hasOwn(proven, name) || !isDeepStrictEqual(proven[name], value);
  const set = Object.fromEntries(Object.entries(left).filter(isNew));
  const removed = new Set(Object.keys(proven).filter((name) => !Object.hasOwn(left, name)));
  return Object.keys(set).length + removed.size === 0 ? undefined : { set, removed };
}

/** ClaimSet of an admission with those of the guards. */
export function withAttached(proven: ClaimSet, { set, removed }: AttachedClaims): ClaimSet {
  const kept = Object.entries(proven).filter(([name]) => !removed.has(name));
  return Object.freeze({ ...Object.fromEntries(kept), ...set });
}

function deepFrozen<T extends object>(value: T): T {
  for (const part of Object.values(value))
    if (typeof part === 'object' && part !== null && !Object.isFrozen(part)) deepFrozen(part as object);
  return Object.freeze(value);
}
