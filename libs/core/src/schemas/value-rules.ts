import * as rules from 'class-validator';
import { DATE_SCHEMA } from './date-schema.js';
import { inWords, isJsonPrimitive, type JsonSchema, NEVER, NOT_NULL, valuesSchema } from './json-schema.js';
import { atLeast, atMost, prose, type RuleSchema } from './rule-schema.js';

const NUMBER: JsonSchema = { type: 'number' };
const LIST: JsonSchema = { type: 'array' };

/** Rules of all values but strings, by the name that class-validator gives them. */
export const VALUE_RULES: Readonly<Record<string, RuleSchema>> = {
  [rules.IS_DEFINED]: () => ({ type: NOT_NULL }),
  [rules.IS_EMPTY]: () => valuesSchema(['', null]),
  [rules.IS_NOT_EMPTY]: () => ({ type: NOT_NULL, not: { const: '' } }),
  [rules.EQUALS]: ({ constraints: [value] }) => valuesSchema([value]),
  [rules.NOT_EQUALS]: ({ constraints: [value] }) => without([value]),
  [rules.IS_IN]: ({ constraints: [values] }) => (Array.isArray(values) ? valuesSchema(values) : NEVER),
  [rules.IS_NOT_IN]: ({ constraints: [values] }) => (Array.isArray(values) ? without(values) : {}),
  [rules.IS_ENUM]: ({ constraints: [entity] }) => valuesSchema(enumValues(entity as object)),
  [rules.IS_BOOLEAN]: () => ({ type: 'boolean' }),

  [rules.IS_INT]: () => ({ type: 'integer' }),
  [rules.IS_NUMBER]: ({ constraints: [options] }) => decimals(options as rules.IsNumberOptions | undefined),
  [rules.MIN]: ({ constraints: [bound] }) => from(bound),
  [rules.MAX]: ({ constraints: [bound] }) => upTo(bound),
  [rules.IS_POSITIVE]: () => ({ type: 'number', exclusiveMinimum: 0 }),
  [rules.IS_NEGATIVE]: () => ({ type: 'number', exclusiveMaximum: 0 }),
  [rules.IS_DIVISIBLE_BY]: ({ constraints: [divisor] }) => multiple(divisor),
  [rules.IS_LATITUDE]: () => prose(['number', 'string'], 'a latitude'),
  [rules.IS_LONGITUDE]: () => prose(['number', 'string'], 'a longitude'),

  [rules.IS_DATE]: ({ type }) => (type === Date ? DATE_SCHEMA : NEVER),
  [rules.MIN_DATE]: ({ type }) => (type === Date ? { ...DATE_SCHEMA, ...inWords('not too early') } : NEVER),
  [rules.MAX_DATE]: ({ type }) => (type === Date ? { ...DATE_SCHEMA, ...inWords('not too late') } : NEVER),

  [rules.IS_ARRAY]: () => LIST,
  [rules.ARRAY_NOT_EMPTY]: () => ({ type: 'array', minItems: 1 }),
  [rules.ARRAY_MIN_SIZE]: ({ constraints: [bound] }) => atLeast('array', 'minItems', bound),
  [rules.ARRAY_MAX_SIZE]: ({ constraints: [bound] }) => atMost('array', 'maxItems', bound),
  [rules.ARRAY_CONTAINS]: ({ constraints: [values] }) => containing(values as unknown[]),
  [rules.ARRAY_NOT_CONTAINS]: ({ constraints: [values] }) => notContaining(values as unknown[]),
  [rules.ARRAY_UNIQUE]: ({ passes }) =>
    passes([{}, {}]) && passes([1, 2, 'a'])
      ? { type: 'array', uniqueItems: true }
      : prose('array', 'elements differ in what tells them apart'),

  [rules.IS_OBJECT]: () => ({ type: 'object' }),
  [rules.IS_NOT_EMPTY_OBJECT]: ({ constraints: [options], type }) => filled(options, type),
  [rules.IS_INSTANCE]: ({ constraints: [type] }) =>
    prose(undefined, `an instance of ${typeof type === 'function' ? type.name : 'a class'}`),
};

/** The members of an enum: TypeScript also gives a numeric one the names under its numbers. */
export function enumValues(entity: object): unknown[] {
  const members = entity as Record<string, unknown>;
  return Object.keys(members)
    .filter((key) => !(String(Number(key)) === key && members[String(members[key])] === Number(key)))
    .map((key) => members[key]);
}

function without(values: readonly unknown[]): JsonSchema {
  const refused = values.filter(isJsonPrimitive);
  const others = refused.filter((value) => value !== null);
  const type = refused.includes(null) ? { type: NOT_NULL } : {};
  if (others.length === 0) return type;
  return { ...type, not: others.length === 1 ? { const: others[0] } : { enum: others } };
}

function decimals(options: rules.IsNumberOptions | undefined): JsonSchema {
  const places = options?.maxDecimalPlaces;
  return places === undefined ? NUMBER : prose('number', `at most ${places} decimal places`);
}

function from(bound: unknown): JsonSchema {
  if (typeof bound !== 'number' || Number.isNaN(bound) || bound === Infinity) return NEVER;
  return bound === -Infinity ? NUMBER : { type: 'number', minimum: bound };
}

function upTo(bound: unknown): JsonSchema {
  if (typeof bound !== 'number' || Number.isNaN(bound) || bound === -Infinity) return NEVER;
  return bound === Infinity ? NUMBER : { type: 'number', maximum: bound };
}

/** The library divides by the digits before the divisor's point. */
function multiple(divisor: unknown): JsonSchema {
  const whole = typeof divisor === 'number' ? Math.abs(Number.parseInt(String(divisor), 10)) : 0;
  return whole > 0 ? { type: 'number', multipleOf: whole } : NEVER;
}

function containing(values: readonly unknown[]): JsonSchema {
  if (!values.every(isJsonPrimitive)) return NEVER;
  const allOf = values.map((value) => ({ contains: { const: value } }));
  return allOf.length === 0 ? LIST : { type: 'array', allOf };
}

function notContaining(values: readonly unknown[]): JsonSchema {
  const refused = values.filter(isJsonPrimitive);
  return refused.length === 0 ? LIST : { type: 'array', not: { contains: { enum: refused } } };
}

/** An instance of a class has the fields that its class gives it, not only those of the data. */
function filled(options: unknown, type: unknown): JsonSchema {
  if (typeof type === 'function' && type !== Object) return prose('object', 'has a field');
  const { nullable } = (options as { nullable?: boolean } | undefined) ?? {};
  if (nullable !== false) return { type: 'object', minProperties: 1 };
  return { type: 'object', not: { additionalProperties: { type: 'null' } } };
}
