/** A JSON Schema (draft 07), as far as class-validator rules need it. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly not?: JsonSchema;
  readonly description?: string;
  readonly $comment?: string;
  readonly [keyword: string]: unknown;
}

/**
 * A rule that no keyword says. The description tells people; the comment, a list in JSON, lets a check of two contracts
 * tell rules from other descriptions. Validators skip both.
 */
export function inWords(rule: string): Pick<JsonSchema, 'description' | '$comment'> {
  return { description: rule, $comment: JSON.stringify([rule]) };
}

/** Allows no value. */
export const NEVER: JsonSchema = { not: {} };

/** All types but `null`. */
export const NOT_NULL: readonly string[] = ['array', 'boolean', 'number', 'object', 'string'];

/** True if a schema allows no value, as far as its own keywords tell. */
export function isNever({ not }: JsonSchema): boolean {
  return not !== undefined && Object.keys(not).length === 0;
}

/** The types that a schema names; `undefined` if it names none. */
export function typesOf({ type }: JsonSchema): readonly string[] | undefined {
  return typeof type === 'string' ? [type] : type;
}

/** A schema of these values. Objects, `undefined` and other values that no JSON equals are left out. */
export function valuesSchema(candidates: readonly unknown[]): JsonSchema {
  const values = [...new Set(candidates.filter(isJsonPrimitive))];
  if (values.length === 0) return NEVER;
  const types = [...new Set(values.map((value) => (value === null ? 'null' : typeof value)))];
  return { type: types.length === 1 ? types[0]! : types, enum: values };
}

/** True if some JSON text is read as this value, and it is no object or list. */
export function isJsonPrimitive(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  return value === null || typeof value === 'string' || typeof value === 'boolean';
}
