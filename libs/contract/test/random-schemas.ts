import { type JsonSchema, resolve, type Schemas } from '../src/json-schema.js';
import { Chance } from './random.js';

/** A schema that may be changed. */
export type Draft = { -readonly [K in keyof JsonSchema]: JsonSchema[K] };

const PREFIX = '#/components/schemas/';
export const PATTERNS = ['^[ab]+$', '^a'];

/** A schema with named ones: unions by a discriminator, maps, lists, enums, optional fields, a circle. */
export function randomSchemas(chance: Chance): { root: Draft; schemas: Record<string, Draft> } {
  const schemas: Record<string, Draft> = {};
  const leaf = (): Draft => leafOf(chance);
  const fields = (depth: number): Draft => objectOf(chance, ['a', 'b', 'c'].slice(0, chance.from(1, 3)), () => any(depth - 1));
  const any = (depth: number): Draft => {
    const plain = depth <= 0 ? leaf() : chance.of([leaf, leaf, () => nested(depth)])();
    return chance.is(0.2) ? nullableOf(plain) : plain;
  };
  const nested = (depth: number): Draft =>
    chance.of([
      () => fields(depth),
      () => ({ type: 'array', items: any(depth - 1), maxItems: chance.from(3, 5), ...(chance.is(0.4) && { minItems: 1 }) }),
      () => ({ type: 'object', additionalProperties: any(depth - 1) }),
      () => ({ $ref: `${PREFIX}${chance.of(Object.keys(schemas))}` }),
    ])();
  schemas.Base = fields(0);
  const members = ['circle', 'square', 'line'].slice(0, chance.from(2, 3)).map((kind) => {
    const name = `Shape-${kind}`;
    const own = fields(1);
    schemas[name] = { ...own, properties: { ...own.properties, kind: { const: kind } }, required: [...own.required!, 'kind'] };
    return { $ref: `${PREFIX}${name}` };
  });
  schemas.Shape = { [chance.of(['anyOf', 'oneOf'])]: members };
  const node = { $ref: `${PREFIX}Node` };
  schemas.Node = {
    type: 'object',
    properties: { value: leaf(), next: { anyOf: [node, { type: 'null' }] }, children: { type: 'array', items: node, maxItems: 2 } },
    required: ['value'],
  };
  const root = objectOf(chance, ['x', 'y'], () => any(2));
  root.properties = {
    ...root.properties,
    shapes: { type: 'array', items: { $ref: `${PREFIX}Shape` }, maxItems: 4 },
    byName: { type: 'object', additionalProperties: { $ref: `${PREFIX}${chance.of(['Shape', 'Node', 'Base'])}` } },
    node,
    base: { $ref: `${PREFIX}Base` },
  };
  return { root, schemas };
}

function objectOf(chance: Chance, names: readonly string[], make: () => Draft): Draft {
  const properties = Object.fromEntries(names.map((name) => [name, make()]));
  return { type: 'object', properties, required: names.filter(() => chance.is(0.5)) };
}

function leafOf(chance: Chance): Draft {
  return chance.of<() => Draft>([
    () => ({ type: 'string', minLength: chance.from(1, 2), maxLength: chance.from(4, 8) }),
    () => ({ type: 'string', pattern: PATTERNS[0] }),
    () => ({ type: 'integer', minimum: chance.from(-3, 0), maximum: chance.from(5, 9) }),
    () => ({ type: 'number', exclusiveMinimum: 0, maximum: 10 }),
    () => ({ type: 'string', enum: ['red', 'green', 'blue'].slice(0, chance.from(2, 3)) }),
    () => ({ type: 'integer', enum: [1, 2, 3] }),
    () => ({ type: 'boolean' }),
  ])();
}

/** As optional fields are published. */
export function nullableOf(schema: Draft): Draft {
  if (typeof schema.type !== 'string') return { anyOf: [schema, { type: 'null' }] };
  return { ...schema, type: [schema.type, 'null'], ...(schema.enum && { enum: [...schema.enum, null] }) };
}

/** A value of a schema, more often than not at one of its bounds. Fields are those that it names. */
export function sample(schema: JsonSchema, schemas: Schemas, chance: Chance, depth = 6): unknown {
  const one = resolve(schema, schemas);
  const within = (inner: JsonSchema): unknown => sample(inner, schemas, chance, depth - 1);
  const variants = one.anyOf ?? one.oneOf;
  if (variants) {
    const end = variants.find(({ type }) => type === 'null');
    return depth <= 0 && end ? null : within(chance.of(variants));
  }
  if (one.const !== undefined) return one.const;
  if (one.enum) return chance.of(one.enum);
  const type = typeof one.type === 'string' ? one.type : chance.of(one.type ?? ['string', 'integer', 'null']);
  switch (type) {
    case 'null':
      return null;
    case 'boolean':
      return chance.is(0.5);
    case 'string':
      return sampleText(one, chance);
    case 'integer':
    case 'number':
      return sampleNumber({ ...one, type }, chance);
    case 'array':
      return sampleList(one, chance, depth <= 0, within);
    default:
      return sampleObject(one, chance, depth <= 0, within);
  }
}

function sampleText({ minLength = 0, maxLength = 12, pattern }: JsonSchema, chance: Chance): string {
  const size = chance.of([minLength, maxLength, chance.from(minLength as number, maxLength as number)]) as number;
  if (pattern === PATTERNS[1]) return `a${'z'.repeat(Math.max(0, size - 1))}`;
  const letters = pattern === undefined ? 'aZ9 é' : 'ab';
  const length = pattern === undefined ? size : Math.max(1, size);
  return Array.from({ length }, () => chance.of([...letters])).join('');
}

function sampleNumber(schema: JsonSchema, chance: Chance): number {
  const { minimum = -20, exclusiveMinimum, maximum = 20, multipleOf } = schema as Record<string, number>;
  const least = exclusiveMinimum === undefined ? minimum : exclusiveMinimum + (schema.type === 'integer' ? 1 : 1e-6);
  if (multipleOf !== undefined) return Math.ceil(least / multipleOf) * multipleOf;
  const inside = least + chance.next() * (maximum - least);
  if (schema.type === 'number') return chance.of([least, maximum, inside, Math.min(maximum, Math.ceil(least) + 0.5)]);
  return chance.of([Math.ceil(least), Math.floor(maximum), chance.from(Math.ceil(least), Math.floor(maximum))]);
}

function sampleList(
  { minItems = 0, maxItems = 5, uniqueItems, items = {} }: JsonSchema,
  chance: Chance,
  isEnd: boolean,
  within: (schema: JsonSchema) => unknown,
): unknown[] {
  const [least, most] = [minItems as number, isEnd ? (minItems as number) : (maxItems as number)];
  const size = chance.of([least, most, chance.from(least, most)]);
  if (size === 0) return [];
  const one = within(items);
  const isSame = chance.is(0.3) && uniqueItems !== true;
  const list = Array.from({ length: size }, () => (isSame ? one : within(items)));
  if (uniqueItems !== true) return list;
  return [...new Map(list.map((item) => [JSON.stringify(item), item])).values()];
}

function sampleObject(
  { properties, required = [], additionalProperties }: JsonSchema,
  chance: Chance,
  isEnd: boolean,
  within: (schema: JsonSchema) => unknown,
): object {
  const named = Object.entries(properties ?? {}).filter(
    ([name]) => required.includes(name) || (!isEnd && chance.is(0.6)),
  );
  const further = typeof additionalProperties === 'object' ? additionalProperties : properties ? undefined : {};
  const keys = further && !isEnd ? ['k1', 'k2'].slice(0, chance.from(0, 2)) : [];
  return Object.fromEntries([
    ...named.map(([name, schema]) => [name, within(schema)]),
    ...keys.map((name) => [name, within(further!)]),
  ]) as object;
}
