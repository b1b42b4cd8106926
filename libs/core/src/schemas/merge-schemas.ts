import { isNever, type JsonSchema, NEVER, typesOf } from './json-schema.js';

type Merge = (a: never, b: never) => unknown;

const larger = (a: number, b: number): number => Math.max(a, b);
const smaller = (a: number, b: number): number => Math.min(a, b);

/** How two values of one keyword become the value that means both. */
const KEYWORDS: Readonly<Record<string, Merge>> = {
  minimum: larger,
  exclusiveMinimum: larger,
  maximum: smaller,
  exclusiveMaximum: smaller,
  minLength: larger,
  maxLength: smaller,
  minItems: larger,
  maxItems: smaller,
  minProperties: larger,
  allOf: (a: JsonSchema[], b: JsonSchema[]) => [...a, ...b],
  items: mergeSchemas,
  additionalProperties: mergeSchemas,
  enum: (a: unknown[], b: unknown[]) => a.filter((value) => b.includes(value)),
  description: (a: string, b: string) => (a === b ? a : `${a}; ${b}`),
  $comment: (a: string, b: string) => JSON.stringify([...new Set([a, b].flatMap(listed))]),
};

function listed(comment: string): string[] {
  return JSON.parse(comment) as string[];
}

/** The schema of the values that all of these schemas allow. */
export function mergeAll(schemas: readonly JsonSchema[]): JsonSchema {
  return schemas.reduce(mergeSchemas, {});
}

/** The schema of the values that both schemas allow. */
export function mergeSchemas(a: JsonSchema, b: JsonSchema): JsonSchema {
  if (isNever(a) || isNever(b)) return NEVER;
  if (isReference(a)) return referenced(a, b);
  if (isReference(b)) return referenced(b, a);
  const merged: Record<string, unknown> = { ...a };
  for (const [keyword, value] of Object.entries(b)) {
    if (keyword !== 'type') mergeKeyword(merged, keyword, value);
  }
  const type = commonTypes(typesOf(a), typesOf(b));
  if (type?.length === 0) return NEVER;
  if (!type) return settled(merged);
  // The type comes first, for those who read the schema.
  return settled({ ...{ type: undefined }, ...merged, type: type.length === 1 ? type[0]! : type });
}

function mergeKeyword(merged: Record<string, unknown>, keyword: string, value: unknown): void {
  const own = merged[keyword];
  if (own === undefined || JSON.stringify(own) === JSON.stringify(value)) merged[keyword] = value;
  else if (KEYWORDS[keyword]) merged[keyword] = KEYWORDS[keyword](own as never, value as never);
  // Two patterns or two negations do not become one.
  else merged.allOf = [...((merged.allOf as JsonSchema[] | undefined) ?? []), { [keyword]: value }];
}

/** True for a class, or for several of which data has one. */
function isReference({ $ref, anyOf, type }: JsonSchema): boolean {
  return $ref !== undefined || (anyOf !== undefined && type === undefined);
}

/** Keywords beside `$ref` are ignored, so what a rule says of an object must not stand there. */
function referenced(reference: JsonSchema, { type: _, ...more }: JsonSchema): JsonSchema {
  const types = typesOf({ type: _ } as JsonSchema);
  if (types && !types.includes('object')) return NEVER;
  if (Object.keys(more).length === 0) return reference;
  const { description, $comment, ...rules } = more as JsonSchema;
  const words = {
    ...(description !== undefined && { description }),
    ...($comment !== undefined && { $comment }),
  };
  return Object.keys(rules).length === 0
    ? mergeWords(reference, words)
    : { allOf: [reference, rules], ...words };
}

function mergeWords(schema: JsonSchema, words: JsonSchema): JsonSchema {
  const merged: Record<string, unknown> = { ...schema };
  for (const [keyword, value] of Object.entries(words)) mergeKeyword(merged, keyword, value);
  return merged;
}

/** Types that both sides allow; `undefined` for any. */
function commonTypes(
  a: readonly string[] | undefined,
  b: readonly string[] | undefined,
): readonly string[] | undefined {
  if (!a || !b) return a ?? b;
  const within = (type: string, types: readonly string[]): boolean =>
    types.includes(type) || (type === 'integer' && types.includes('number'));
  return [
    ...a.filter((type) => within(type, b)),
    ...b.filter((type) => !a.includes(type) && within(type, a)),
  ];
}

/** Says the same in the words that people expect: a string that is not `''` has a character. */
function settled(schema: JsonSchema): JsonSchema {
  const { not, enum: values, ...rest } = schema;
  const types = typesOf(schema);
  if (values && types) {
    const possible = values.filter((value) => types.some((type) => isOf(value, type)));
    return possible.length === 0 ? NEVER : { ...schema, enum: possible };
  }
  if (schema.type !== 'string' || !not || not.const !== '' || values) return schema;
  return { ...rest, minLength: Math.max(1, (schema.minLength as number | undefined) ?? 0) };
}

function isOf(value: unknown, type: string): boolean {
  if (type === 'integer') return Number.isInteger(value);
  return type === (value === null ? 'null' : typeof value);
}
