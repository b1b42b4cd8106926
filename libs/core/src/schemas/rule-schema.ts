import { inWords, type JsonSchema, NEVER } from './json-schema.js';

/** One use of a rule. */
export interface RuleUse {
  readonly constraints: readonly unknown[];
  /** The type of `@Type`, or of the property; of the elements if the rule says `each`. */
  readonly type: unknown;
  /** The rule's own verdict, for settings that it keeps to itself. */
  readonly passes: (value: unknown) => boolean;
}

/**
 * The JSON values that a rule accepts. Without a `description` the keywords say all of the rule; with one they allow
 * more, and the description says the rest.
 */
export type RuleSchema = (use: RuleUse) => JsonSchema;

/** A schema that says only a part of a rule. */
export function prose(type: string | readonly string[] | undefined, description: string): JsonSchema {
  return { ...(type !== undefined && { type }), ...inWords(description) };
}

/** A lower bound of a count. */
export function atLeast(type: string, keyword: string, bound: unknown): JsonSchema {
  if (typeof bound !== 'number' || Number.isNaN(bound) || bound === Infinity) return NEVER;
  return bound > 0 ? { type, [keyword]: Math.ceil(bound) } : { type };
}

/** An upper bound of a count. */
export function atMost(type: string, keyword: string, bound: unknown): JsonSchema {
  if (typeof bound !== 'number' || Number.isNaN(bound) || bound < 0) return NEVER;
  return bound === Infinity ? { type } : { type, [keyword]: Math.floor(bound) };
}
