import type { Chance } from './random.js';
import { type Draft, nullableOf, PATTERNS } from './random-schemas.js';

/**
 * The effect of a mutation on the values: fewer, more, some others, or the same. To a schema alone a removed field is harmless,
 * but it breaks whoever sends or reads it.
 */
export type Effect = 'narrower' | 'wider' | 'other' | 'same' | 'removed field' | 'new field';

/** One way to change a schema. */
export interface Mutation {
  readonly name: string;
  /** Changes the schema in its place; the field that a message must name, below the schema's own. */
  readonly apply: (schema: Draft, chance: Chance) => string | void;
  readonly fits: (schema: Draft) => boolean;
  readonly effect: Effect | ((schema: Draft) => Effect);
}

const is =
  (...types: string[]) =>
  (schema: Draft): boolean =>
    types.includes(schema.type as string) && !schema.enum;
const isText = (schema: Draft): boolean => is('string')(schema) && schema.pattern === undefined;
const isRecord = (schema: Draft): boolean => is('object')(schema) && schema.properties !== undefined;
const unionOf = (schema: Draft): 'anyOf' | 'oneOf' | undefined =>
  schema.oneOf ? 'oneOf' : schema.anyOf ? 'anyOf' : undefined;
const isUnion = (schema: Draft): boolean => {
  const members = schema[unionOf(schema) ?? ''] as Draft[] | undefined;
  return members !== undefined && members.every(({ $ref }) => $ref !== undefined);
};
const has = (keyword: string) => (schema: Draft): boolean => schema[keyword] !== undefined;
const both = (...tests: ((schema: Draft) => boolean)[]) => (schema: Draft): boolean => tests.every((test) => test(schema));
const add = (keyword: string, by: number) => (schema: Draft): void => {
  schema[keyword] = (schema[keyword] as number) + by;
};
/** A list of the items that it is part of would never end. */
const isFinite = ({ items }: Draft): boolean => items?.$ref?.endsWith('/Node') !== true;
const optional = (schema: Draft): string[] =>
  Object.keys(schema.properties!).filter((name) => !schema.required?.includes(name));
const replace = (schema: Draft, by: Draft): void => {
  for (const key of Object.keys(schema)) delete schema[key];
  Object.assign(schema, by);
};
const without = (schema: Draft, name: string): void => {
  const { [name]: _, ...rest } = schema.properties!;
  schema.properties = rest;
  schema.required = schema.required?.filter((one) => one !== name);
};

export const MUTATIONS: readonly Mutation[] = [
  { name: 'maxLength lower', fits: both(isText, has('maxLength')), effect: 'narrower', apply: add('maxLength', -1) },
  { name: 'maxLength higher', fits: both(isText, has('maxLength')), effect: 'wider', apply: add('maxLength', 1) },
  { name: 'minLength higher', fits: both(isText, has('minLength')), effect: 'narrower', apply: add('minLength', 1) },
  { name: 'minLength gone', fits: both(isText, has('minLength')), effect: 'wider', apply: (s) => void delete s.minLength },
  { name: 'pattern new', fits: isText, effect: 'narrower', apply: (s) => void (s.pattern = PATTERNS[1]) },
  { name: 'pattern gone', fits: both(is('string'), has('pattern')), effect: 'wider', apply: (s) => void delete s.pattern },
  { name: 'pattern other', fits: both(is('string'), has('pattern')), effect: 'other', apply: (s) => void (s.pattern = PATTERNS[1]) },
  { name: 'text to enum', fits: isText, effect: 'narrower', apply: (s) => replace(s, { type: 'string', enum: ['aaaa'.slice(0, s.maxLength as number)] }) },
  { name: 'text to integer', fits: is('string'), effect: 'other', apply: (s) => replace(s, { type: 'integer', minimum: 0, maximum: 3 }) },
  { name: 'minimum higher', fits: both(is('integer'), has('minimum')), effect: 'narrower', apply: add('minimum', 1) },
  { name: 'minimum lower', fits: both(is('integer'), has('minimum')), effect: 'wider', apply: add('minimum', -1) },
  { name: 'maximum gone', fits: both(is('integer', 'number'), has('maximum')), effect: 'wider', apply: (s) => void delete s.maximum },
  { name: 'maximum lower', fits: both(is('integer', 'number'), has('maximum')), effect: 'narrower', apply: add('maximum', -1) },
  { name: 'minimum in other words', fits: both(is('integer'), has('minimum')), effect: 'same', apply: (s) => replace(s, { type: 'integer', exclusiveMinimum: (s.minimum as number) - 1, maximum: s.maximum }) },
  { name: 'minimum no longer exclusive', fits: has('exclusiveMinimum'), effect: 'wider', apply: (s) => replace(s, { type: s.type as string, minimum: s.exclusiveMinimum, maximum: s.maximum }) },
  { name: 'integer to number', fits: is('integer'), effect: 'wider', apply: (s) => void (s.type = 'number') },
  { name: 'number to integer', fits: is('number'), effect: 'narrower', apply: (s) => void (s.type = 'integer') },
  { name: 'multipleOf new', fits: is('integer'), effect: 'narrower', apply: (s) => void (s.multipleOf = 2) },
  { name: 'enum value gone', fits: (s) => (s.enum?.filter((v) => v !== null).length ?? 0) > 1, effect: 'narrower', apply: (s) => void (s.enum = s.enum!.slice(1)) },
  { name: 'enum value new', fits: has('enum'), effect: 'wider', apply: (s) => void (s.enum = [...s.enum!, s.enum!.includes(1) ? 77 : 'pink']) },
  { name: 'enum to any', fits: both(has('enum'), (s) => s.type === 'string'), effect: 'wider', apply: (s) => replace(s, { type: 'string' }) },
  { name: 'boolean to constant', fits: is('boolean'), effect: 'narrower', apply: (s) => replace(s, { const: true }) },
  { name: 'null new', fits: is('string', 'integer', 'number', 'boolean', 'object', 'array'), effect: 'wider', apply: (s) => replace(s, nullableOf({ ...s })) },
  { name: 'null gone', fits: (s) => Array.isArray(s.type), effect: 'narrower', apply: (s) => {
    s.type = (s.type as string[])[0]!;
    if (s.enum) s.enum = s.enum.filter((value) => value !== null);
  } },
  { name: 'fewer items', fits: both(is('array'), has('maxItems')), effect: 'narrower', apply: add('maxItems', -1) },
  { name: 'more items', fits: both(is('array'), has('maxItems')), effect: 'wider', apply: add('maxItems', 1) },
  { name: 'items needed', fits: both(is('array'), (s) => s.minItems === undefined, isFinite), effect: 'narrower', apply: (s) => void (s.minItems = 1) },
  { name: 'distinct items', fits: both(is('array'), (s) => s.uniqueItems === undefined), effect: 'narrower', apply: (s) => void (s.uniqueItems = true) },
  { name: 'field gone', fits: isRecord, effect: 'removed field', apply: (s, chance) => {
    const name = chance.of(Object.keys(s.properties!));
    without(s, name);
    return name;
  } },
  { name: 'optional field new', fits: isRecord, effect: 'new field', apply: (s) => void (s.properties = { ...s.properties, fresh: { type: 'string' } }) },
  { name: 'required field new', fits: isRecord, effect: 'narrower', apply: (s) => {
    s.properties = { ...s.properties, fresh: { type: 'integer', minimum: 0 } };
    s.required = [...(s.required ?? []), 'fresh'];
    return 'fresh';
  } },
  { name: 'field required', fits: both(isRecord, (s) => optional(s).length > 0), effect: 'narrower', apply: (s, chance) => {
    const name = chance.of(optional(s));
    s.required = [...(s.required ?? []), name];
    return name;
  } },
  { name: 'field optional', fits: both(isRecord, (s) => (s.required?.length ?? 0) > 0), effect: 'wider', apply: (s, chance) => {
    const name = chance.of(s.required!);
    s.required = s.required!.filter((one) => one !== name);
    return name;
  } },
  { name: 'field renamed', fits: isRecord, effect: 'removed field', apply: (s, chance) => {
    const name = chance.of(Object.keys(s.properties!));
    const old = s.properties![name]!;
    without(s, name);
    s.properties = { ...s.properties, renamed: old };
    return name;
  } },
  { name: 'map to record', fits: (s) => typeof s.additionalProperties === 'object', effect: 'removed field', apply: (s) => replace(s, { type: 'object', properties: {} }) },
  { name: 'subtype gone', fits: isUnion, effect: 'narrower', apply: (s) => {
    const keyword = unionOf(s)!;
    s[keyword] = s[keyword]!.slice(1);
  } },
  { name: 'subtype new', fits: isUnion, effect: 'wider', apply: (s) => {
    const keyword = unionOf(s)!;
    const properties = { kind: { const: 'star' }, points: { type: 'integer' } };
    s[keyword] = [...s[keyword]!, { type: 'object', properties, required: ['kind'] }];
  } },
  { name: 'oneOf and anyOf', fits: isUnion, effect: 'same', apply: (s) => {
    const [keyword, other] = s.oneOf ? (['oneOf', 'anyOf'] as const) : (['anyOf', 'oneOf'] as const);
    replace(s, { [other]: [...s[keyword]!].reverse() });
  } },
  { name: 'discriminator value renamed', fits: (s) => s.properties?.kind?.const !== undefined, effect: 'other', apply: (s) => void (s.properties = { ...s.properties, kind: { const: 'oval' } }) },
  { name: 'description', fits: () => true, effect: 'same', apply: (s) => void (s.description = 'in other words') },
];
