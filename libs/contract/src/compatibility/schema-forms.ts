import { type JsonSchema, resolve, type Schemas } from '../json-schema.js';

/**
 * A schema without references, unions and lists of types: the values of one type that follow a list of rules. Rules that
 * can't be joined into one, such as two patterns, are in `allOf`.
 */
export interface Form extends JsonSchema {
  readonly type?: string;
}

const LOWER = ['minLength', 'minItems', 'minProperties', 'minimum', 'exclusiveMinimum'];
const UPPER = ['maxLength', 'maxItems', 'maxProperties', 'maximum', 'exclusiveMaximum'];
const OPAQUE = ['pattern', 'format', 'multipleOf', 'uniqueItems', 'contains', 'not', '$comment'];

/** No value at all. */
const NOTHING: JsonSchema = { not: {} };

/** The forms of a schema: what one of them allows, the schema allows. An untyped form may be of any type. */
export function formsOf(schema: JsonSchema, schemas: Schemas, within: readonly string[] = []): Form[] {
  const { $ref, anyOf, oneOf, allOf = [], type, description: _, discriminator: _of, ...rules } = schema;
  const types = typeof type === 'string' || type === undefined ? [type] : type;
  let forms: Form[] = types.flatMap((one) => withType(rules, one));
  const join = (others: readonly Form[]): void => {
    forms = forms
      .flatMap((form) => others.map((other) => merged(form, other)))
      .filter((form) => form !== undefined);
  };
  // A union that has itself as a member gets nothing from it.
  if ($ref !== undefined && within.includes($ref)) return [];
  const inside = $ref === undefined ? within : [...within, $ref];
  const expand = (one: JsonSchema): Form[] => formsOf(one, schemas, inside);
  if ($ref !== undefined) join(expand(resolve({ $ref }, schemas)));
  for (const one of allOf) join(expand(one));
  for (const union of [anyOf, oneOf]) if (union) join(union.flatMap(expand));
  return forms.filter((form) => !isEmpty(form));
}

/** All values of a form, if they can be listed. */
export function valuesOf({ type, enum: values, const: constant }: Form): readonly unknown[] | undefined {
  if (values) return values;
  if (constant !== undefined) return [constant];
  if (type === 'boolean') return [true, false];
  return type === 'null' ? [null] : undefined;
}

/** All rules of a form that have this keyword. */
export function rulesOf(form: Form, keyword: string): unknown[] {
  const rules = [form, ...(form.allOf ?? [])].map((each) => each[keyword]);
  return rules.filter((rule) => rule !== undefined);
}

/** The rules of a form that only words tell. */
export function toldRulesOf(form: Form): string[] {
  return rulesOf(form, '$comment').flatMap((comment) => {
    try {
      return (JSON.parse(String(comment)) as unknown[]).map(String);
    } catch {
      // Somebody else's comment: it says something that this check can't know.
      return [String(comment)];
    }
  });
}

/** True if no value can fit both; false if that is not known. */
export function areApart(a: Form, b: Form, schemas: readonly [Schemas, Schemas], depth = 3): boolean {
  if (a.type !== undefined && b.type !== undefined && !typesMeet(a.type, b.type)) return true;
  const [own, others] = [valuesOf(a), valuesOf(b)];
  if (own && others) return !own.some((value) => others.some((other) => same(value, other)));
  return depth > 0 && areToldApart(a, b, schemas, depth);
}

/** True if one of two forms requires a field that has no value in common. */
function areToldApart(a: Form, b: Form, [ofA, ofB]: readonly [Schemas, Schemas], depth: number): boolean {
  const names = Object.keys(a.properties ?? {}).filter((name) => Object.hasOwn(b.properties ?? {}, name));
  return names.some((name) => {
    if (!a.required?.includes(name) && !b.required?.includes(name)) return false;
    const others = formsOf(b.properties![name]!, ofB);
    return formsOf(a.properties![name]!, ofA).every((one) =>
      others.every((other) => areApart(one, other, [ofA, ofB], depth - 1)),
    );
  });
}

/** Equal as JSON. */
export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Lists of values without a type have the types of their values. */
function withType(rules: JsonSchema, type: string | undefined): Form[] {
  const values = rules.enum ?? (rules.const === undefined ? undefined : [rules.const]);
  if (!values) return [{ ...(rules as Form), ...(type !== undefined && { type }) }];
  const { const: _const, type: _type, ...others } = rules;
  return [...new Set(values.map(typeOfValue))]
    .filter((one) => type === undefined || typesMeet(one, type))
    .map((one) => ({ ...others, type: one, enum: values.filter((each) => typeOfValue(each) === one) }))
    .map((form) => (type === 'integer' ? { ...form, enum: form.enum.filter(Number.isInteger) } : form));
}

function typeOfValue(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function typesMeet(a: string, b: string): boolean {
  const wide = (type: string): string => (type === 'integer' ? 'number' : type);
  return wide(a) === wide(b);
}

/** The values that both forms allow; `undefined` if there are none. */
function merged(a: Form, b: Form): Form | undefined {
  if (a.type !== undefined && b.type !== undefined && !typesMeet(a.type, b.type)) return undefined;
  const form: Record<string, unknown> = { ...a, ...b };
  const type = [a.type, b.type].includes('integer') ? 'integer' : (a.type ?? b.type);
  if (type !== undefined) form.type = type;
  for (const rule of LOWER) pick(form, rule, [a, b], Math.max);
  for (const rule of UPPER) pick(form, rule, [a, b], Math.min);
  const rest = [...(a.allOf ?? []), ...(b.allOf ?? [])];
  for (const rule of OPAQUE)
    if (a[rule] !== undefined && b[rule] !== undefined && !same(a[rule], b[rule]))
      rest.push({ [rule]: a[rule] });
  if (rest.length > 0) form.allOf = rest;
  const [own, others] = [valuesOf(a), valuesOf(b)];
  if (own && others) form.enum = own.filter((value) => others.some((other) => same(value, other)));
  if (a.items && b.items) form.items = both(a.items, b.items);
  return { ...(form as Form), ...mergedFields(a, b) };
}

function pick(
  form: Record<string, unknown>,
  rule: string,
  [a, b]: readonly [Form, Form],
  choose: (...values: number[]) => number,
): void {
  const bounds = [a[rule], b[rule]].filter((bound) => typeof bound === 'number');
  if (bounds.length > 0) form[rule] = choose(...bounds);
}

function mergedFields(
  a: Form,
  b: Form,
): Pick<JsonSchema, 'properties' | 'required' | 'additionalProperties'> {
  const required = [...new Set([...(a.required ?? []), ...(b.required ?? [])])];
  const names = new Set([...Object.keys(a.properties ?? {}), ...Object.keys(b.properties ?? {})]);
  const properties = Object.fromEntries([...names].map((name) => [name, both(fieldOf(a, name), fieldOf(b, name))]));
  const further = [a.additionalProperties, b.additionalProperties].filter((one) => one !== undefined);
  return {
    ...((a.properties ?? b.properties) && { properties }),
    ...(required.length > 0 && { required }),
    ...(further.length > 0 && { additionalProperties: joinedFurther(further) }),
  };
}

function joinedFurther(further: readonly (boolean | JsonSchema)[]): boolean | JsonSchema {
  if (further.includes(false)) return false;
  const schemas = further.filter((one) => typeof one === 'object');
  return schemas.length === 0 ? true : schemas.reduce(both);
}

/** The rules that a form has for a field, by its name or because it has no such name. */
function fieldOf({ properties, additionalProperties }: Form, name: string): JsonSchema {
  if (Object.hasOwn(properties ?? {}, name)) return properties![name]!;
  if (additionalProperties === false) return NOTHING;
  return typeof additionalProperties === 'object' ? additionalProperties : {};
}

/** Joins two schemas; nothing is said twice, so that schemas that refer to themselves have an end. */
function both(a: JsonSchema, b: JsonSchema): JsonSchema {
  const parts = new Map([a, b].flatMap(partsOf).map((part) => [JSON.stringify(part), part]));
  const list = [...parts.values()].filter((part) => Object.keys(part).length > 0);
  return list.length > 1 ? { allOf: list } : (list[0] ?? {});
}

function partsOf(schema: JsonSchema): readonly JsonSchema[] {
  return schema.allOf && Object.keys(schema).length === 1 ? schema.allOf.flatMap(partsOf) : [schema];
}

const RANGES = [
  ['minLength', 'maxLength'],
  ['minItems', 'maxItems'],
  ['minProperties', 'maxProperties'],
  ['minimum', 'maximum'],
] as const;

function isEmpty(form: Form): boolean {
  if (form.enum?.length === 0) return true;
  if (rulesOf(form, 'not').some((rule) => Object.keys(rule as object).length === 0)) return true;
  return RANGES.some(([least, most]) => (form[least] as number) > (form[most] as number));
}
