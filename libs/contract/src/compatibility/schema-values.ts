import { type JsonSchema, resolve, type Schemas } from '../json-schema.js';
import { same } from './schema-forms.js';

/** If a schema allows a value; `undefined` where a rule can't be judged here, such as a format. */
export type Judgement = boolean | undefined;

/** Judges one value by a schema. */
export function judge(schema: JsonSchema, schemas: Schemas, value: unknown): Judgement {
  const sub = (one: JsonSchema, inner = value): Judgement => judge(one, schemas, inner);
  const { $ref, anyOf, oneOf, allOf, not } = schema;
  return every([
    $ref === undefined || sub(resolve({ $ref }, schemas)),
    typeFits(schema.type, value),
    schema.enum === undefined || schema.enum.some((one) => same(one, value)),
    schema.const === undefined || same(schema.const, value),
    ...(allOf ?? []).map((one) => sub(one)),
    anyOf === undefined || some(anyOf.map((one) => sub(one))),
    oneOf === undefined || exactlyOne(oneOf.map((one) => sub(one))),
    not === undefined || negated(sub(not)),
    ...rulesFor(schema, value),
    ...insideOf(schema, value, sub),
  ]);
}

function typeFits(type: JsonSchema['type'], value: unknown): boolean {
  if (type === undefined) return true;
  if (typeof type !== 'string') return type.some((one) => typeFits(one, value));
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  if (type === 'integer') return Number.isInteger(value);
  return typeof value === type && value !== null && !Array.isArray(value);
}

function rulesFor(schema: JsonSchema, value: unknown): Judgement[] {
  if (typeof value === 'string') {
    const { pattern, format } = schema as { pattern?: string; format?: string };
    return [
      ...between([...value].length, schema, ['minLength', 'maxLength']),
      pattern === undefined || new RegExp(pattern, 'u').test(value),
      format === undefined ? true : undefined,
    ];
  }
  if (typeof value === 'number') return numberRules(schema, value);
  if (Array.isArray(value)) {
    const distinct = new Set(value.map((one) => JSON.stringify(one))).size === value.length;
    return [...between(value.length, schema, ['minItems', 'maxItems']), schema.uniqueItems !== true || distinct];
  }
  if (typeof value !== 'object' || value === null) return [];
  const names = Object.keys(value);
  return [
    ...between(names.length, schema, ['minProperties', 'maxProperties']),
    (schema.required ?? []).every((name) => names.includes(name)),
  ];
}

function numberRules(schema: JsonSchema, value: number): boolean[] {
  const { exclusiveMinimum: above = -Infinity, exclusiveMaximum: below = Infinity } = schema as Record<string, number>;
  const step = schema.multipleOf as number | undefined;
  return [
    ...between(value, schema, ['minimum', 'maximum']),
    value > above && value < below,
    step === undefined || isMultiple(value, step),
  ];
}

function insideOf(
  { items, properties = {}, additionalProperties: further }: JsonSchema,
  value: unknown,
  sub: (schema: JsonSchema, inner: unknown) => Judgement,
): Judgement[] {
  if (Array.isArray(value)) return items ? value.map((one) => sub(items, one)) : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).map(([name, inner]) => {
    if (Object.hasOwn(properties, name)) return sub(properties[name]!, inner);
    return typeof further === 'object' ? sub(further, inner) : further !== false;
  });
}

function between(size: number, schema: JsonSchema, [least, most]: readonly [string, string]): boolean[] {
  const { [least]: low = -Infinity, [most]: high = Infinity } = schema as Record<string, number>;
  return [size >= low, size <= high];
}

/** True if a number is a multiple of another, as far as floating point can tell. */
export function isMultiple(value: number, step: number): boolean {
  return Math.abs(value / step - Math.round(value / step)) < 1e-9;
}

function every(judgements: readonly Judgement[]): Judgement {
  if (judgements.includes(false)) return false;
  return judgements.includes(undefined) ? undefined : true;
}

function some(judgements: readonly Judgement[]): Judgement {
  if (judgements.includes(true)) return true;
  return judgements.includes(undefined) ? undefined : false;
}

function exactlyOne(judgements: readonly Judgement[]): Judgement {
  if (judgements.filter((one) => one === true).length > 1) return false;
  return judgements.includes(undefined) ? undefined : judgements.includes(true);
}

function negated(judgement: Judgement): Judgement {
  return judgement === undefined ? undefined : !judgement;
}
