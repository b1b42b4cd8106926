import type { Random } from '@wss/testing';
import { type JsonSchema, resolve, type Schemas } from '../src/json-schema.js';

/** Values at which judges like to differ. */
export const ODD: readonly unknown[] = [
  ...[null, true, false, 0, -0, 1, 2, 3, -1, -1.5, 1e-7, 0.1, 4.5, 1e300, 2 ** 53 - 1],
  ...['', 'a', 'b', 'ab', 'AB', 'a.b', 'red', 'some', 'Low', 'None', 'one', '0', '1', '-0', '80', '+1', '1.5', '1e3'],
  ...['❤️', '😀', 'a\ufe0f', '\ud83d', '\udc00a', 'é', 'ſ', 'K', 'a@b', 'a\nb', '@', '😀@😀', '12:30', 'true', '#fff'],
  ...['2026-02-28', '2026-02-29', '2024-02-29', '2026-01-31T10:00:00Z', '2026-01-31T10:00:00', '2026-01-31 10:00'],
  ...['2026-01-31T24:00:00Z', '2026-01-31T10:00:00.123+02:00', '1900-02-29', '2000-02-29', 'now', 'deadbeef'],
  ...['00000000-0000-0000-0000-000000000000', 'c56a4180-65aa-42ec-a945-5fd21dec0538', 'ABCDEFGH', '1.2.3-a.1+b', '1.02.3'],
  ...['0xc56a4180c56a4180c56a41', 'c56a4180c56a4180c56a4180', '0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe', 'USAT29900609'],
  ...[[], [null], [[]], ['a'], ['a', 'a'], [1, '1'], [{}, {}], [{ a: 1, b: 2 }, { b: 2, a: 1 }], [0, -0], [['a']]],
  ...[{}, { a: null }, { a: 1 }, { kind: 'one' }, { kind: 'two' }, { what: 'one' }, { kind: 'constructor' }],
  JSON.parse('{"__proto__":{"a":1}}'),
  JSON.parse('[{"__proto__":1},{"__proto__":2}]'),
];

/** Those without objects that have fields. */
export const PLAIN_ODD = ODD.filter((value) => !/\{"/.test(JSON.stringify(value)));

/** Makes data that a schema allows, or nearly. */
export class DataMaker {
  constructor(
    private readonly random: Random,
    private readonly schemas: Schemas,
    private readonly odd: readonly unknown[] = ODD,
  ) {}

  /** Data of which some part may be anything. */
  make(schema: JsonSchema): unknown {
    const chance = this.random.pick([0, 0, 0, 0.1, 0.3]);
    return this.value(schema, chance, 6);
  }

  private value(schema: JsonSchema, chance: number, depth: number): unknown {
    if (this.random.next() < chance || depth === 0) return this.random.pick(this.odd);
    const found = resolve(schema, this.schemas);
    if (found.enum) return this.random.pick(found.enum);
    const variants = found.type === undefined ? found.anyOf : undefined;
    if (variants) return this.value(this.random.pick(variants), chance, depth);
    const type = typeof found.type === 'string' ? found.type : this.random.pick(found.type ?? ['any']);
    switch (type) {
      case 'object':
        return this.object(found, chance, depth);
      case 'array':
        return this.list(found, chance, depth);
      default:
        return this.primitive(type, found);
    }
  }

  private object(schema: JsonSchema, chance: number, depth: number): unknown {
    const data: Record<string, unknown> = {};
    for (const [name, field] of Object.entries(schema.properties ?? {})) {
      const isNeeded = schema.required?.includes(name) && this.random.next() >= chance / 3;
      if (isNeeded || this.random.below(3) > 0) {
        Object.defineProperty(data, name, {
          value: this.value(field, chance, depth - 1),
          enumerable: true,
        });
      }
    }
    const further = schema.additionalProperties;
    if (typeof further === 'object') for (const key of ['k', 'l']) data[key] = this.value(further, chance, depth - 1);
    else if (!schema.properties || this.random.next() < chance) data.extra = this.random.pick(this.odd);
    return data;
  }

  private list(schema: JsonSchema, chance: number, depth: number): unknown[] {
    const least = (schema.minItems as number | undefined) ?? 0;
    const length = least + this.random.below(3);
    const list = Array.from({ length }, () => this.value(schema.items ?? {}, chance, depth - 1));
    for (const { contains } of (schema.allOf ?? []) as readonly { contains?: JsonSchema }[]) {
      if (contains) list[0] = contains.const;
    }
    return list;
  }

  /** One of the odd values of a type that also fits the rest, if there is one. */
  private primitive(type: string, schema: JsonSchema): unknown {
    const isInteger = type === 'integer';
    const typed = this.odd.filter((value) => (value === null ? 'null' : typeof value) === (isInteger ? 'number' : type));
    const fitting = typed.filter((value) => fits(value, schema));
    return this.random.pick(type === 'any' ? this.odd : fitting.length > 0 ? fitting : typed.length > 0 ? typed : this.odd);
  }
}

function fits(value: unknown, schema: JsonSchema): boolean {
  const patterns = [schema, ...(schema.allOf ?? []), ...(schema.anyOf ?? [])].map(({ pattern }) => pattern as string);
  const given = patterns.filter((pattern) => pattern !== undefined);
  if (typeof value === 'string') {
    return given.length === 0 || given.some((pattern) => new RegExp(pattern, 'u').test(value));
  }
  return typeof value !== 'number' || schema.type !== 'integer' || Number.isInteger(value);
}
