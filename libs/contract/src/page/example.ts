import { type JsonSchema, resolve, type Schemas } from '../json-schema.js';

/** Texts of formats. */
const FORMATS: Readonly<Record<string, string>> = {
  uuid: '6f1c8a52-3b7e-4d0f-9a68-2c5d7e8b9f01',
  email: 'ann@example.org',
  uri: 'https://example.org/',
  url: 'https://example.org/',
  date: '2026-01-31',
  'date-time': '2026-01-31T12:00:00.000Z',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  hostname: 'example.org',
};

/** Levels of data that refers to itself. */
const DEPTH = 4;

/**
 * A value that a schema allows, to look at and to change: the first of several, the least of a range. Patterns are not
 * solved; a text that has one is its field's name.
 */
export function exampleOf(schema: JsonSchema, schemas: Schemas): unknown {
  return new ExampleWriter(schemas).of(schema, 'text', DEPTH);
}

class ExampleWriter {
  constructor(private readonly schemas: Schemas) {}

  of(reference: JsonSchema, name: string, depth: number): unknown {
    const schema = this.whole(reference);
    if (schema.const !== undefined) return schema.const;
    if (schema.enum) return schema.enum[0];
    const members = schema.oneOf ?? schema.anyOf;
    if (members && schema.type === undefined) return this.member(members, name, depth);
    const { type = schema.properties ? 'object' : 'string' } = schema;
    switch (typeof type === 'string' ? type : type[0]) {
      case 'object':
        return this.object(schema, depth);
      case 'array':
        return this.list(schema, name, depth);
      case 'string':
        return textOf(schema, name);
      case 'integer':
      case 'number':
        return numberOf(schema);
      case 'boolean':
        return true;
      default:
        return null;
    }
  }

  /** Joins what stands in several places about one value. */
  private whole(reference: JsonSchema): JsonSchema {
    const { $ref, allOf = [], ...own } = reference;
    const parts = [...($ref === undefined ? [] : [resolve({ $ref }, this.schemas)]), ...allOf];
    return parts.map((part) => this.whole(part)).reduceRight<JsonSchema>(joined, own);
  }

  private member(members: readonly JsonSchema[], name: string, depth: number): unknown {
    const isNull = members.some(({ type }) => type === 'null');
    return depth <= 0 && isNull ? null : this.of(members[0]!, name, depth - 1);
  }

  private object({ properties = {}, required = [], additionalProperties }: JsonSchema, depth: number): object {
    const shown = Object.entries(properties).filter(([name]) => depth > 0 || required.includes(name));
    const further = typeof additionalProperties === 'object' && depth > 0 ? { key: additionalProperties } : {};
    return Object.fromEntries(
      [...shown, ...Object.entries(further)].map(([name, field]) => [name, this.of(field, name, depth - 1)]),
    ) as object;
  }

  private list({ items = {}, minItems = 0, maxItems = 1, uniqueItems }: JsonSchema, name: string, depth: number): unknown[] {
    const wanted = depth > 0 ? Math.max(1, minItems as number) : (minItems as number);
    const length = Math.min(wanted, Math.max(maxItems as number, minItems as number));
    const list = Array.from({ length }, () => this.of(items, name, depth - 1));
    return uniqueItems === true ? list.map((item, index) => distinct(item, index)) : list;
  }
}

function joined(rest: JsonSchema, part: JsonSchema): JsonSchema {
  const properties = { ...part.properties, ...rest.properties };
  const required = [...new Set([...(part.required ?? []), ...(rest.required ?? [])])];
  return {
    ...part,
    ...rest,
    ...(Object.keys(properties).length > 0 && { properties }),
    ...(required.length > 0 && { required }),
  };
}

function distinct(item: unknown, index: number): unknown {
  if (typeof item === 'number') return item + index;
  return typeof item === 'string' && index > 0 ? `${item.slice(0, -1)}${index}` : item;
}

function textOf({ format, minLength = 0, maxLength = Infinity }: JsonSchema, name: string): string {
  if (typeof format === 'string' && FORMATS[format] !== undefined) return FORMATS[format];
  const padded = name.padEnd(minLength as number, ' and more');
  return padded.slice(0, maxLength as number);
}

function numberOf(schema: JsonSchema): number {
  const { minimum, exclusiveMinimum, maximum, exclusiveMaximum, multipleOf: step } = schema as Record<string, number | undefined>;
  const isWhole = schema.type === 'integer' || (schema.type as readonly string[]).includes('integer');
  const tick = step ?? (isWhole ? 1 : 0.5);
  const least = Math.max(minimum ?? -Infinity, exclusiveMinimum === undefined ? -Infinity : exclusiveMinimum + tick);
  const most = Math.min(maximum ?? Infinity, exclusiveMaximum === undefined ? Infinity : exclusiveMaximum - tick);
  const near = Math.min(Math.max(step ?? 1, least), most);
  return step === undefined ? near : Math.ceil(Math.max(near, least === -Infinity ? near : least) / step) * step;
}
