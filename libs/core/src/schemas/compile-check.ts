import type { Discriminator } from './field-schema.js';
import { DATE_SCHEMA, isDateText } from './date-schema.js';
import { isNever, type JsonSchema, NOT_NULL, typesOf } from './json-schema.js';
import { repeatedElement } from './unique-elements.js';
import { type Check, jsonTypeOf, type ValueWalk } from './value-walk.js';

/** The class that a `$ref` stands for. */
export interface Referred {
  readonly check: Check;
  /** The field by which data has this class, and its value. */
  readonly discriminator: Discriminator | undefined;
}

/** Finds what a `$ref` stands for. */
export type FindReferred = (ref: string) => Referred;

/**
 * Compiles the part of a schema that class-validator does not judge by itself: types, elements, classes, the members
 * of an enum, dates, elements that differ. Returns `undefined` if the schema has no such part.
 */
export function compileCheck(schema: JsonSchema, find: FindReferred): Check | undefined {
  if (isNever(schema)) return (_value, walk) => walk.refuse('is never accepted');
  if (schema.$ref !== undefined) return find(schema.$ref).check;
  const checks = [
    ...(schema.allOf ?? []).map((each) => compileCheck(each, find)),
    alternatives(schema, find),
    typeCheck(schema),
    members(schema),
    elements(schema, find),
    schema.uniqueItems === true ? differing : undefined,
    entries(schema, find),
  ].filter((check) => check !== undefined);
  if (checks.length < 2) return checks[0];
  return (value, walk) => {
    const before = walk.problems.length;
    for (const check of checks) if (walk.problems.length === before) check(value, walk);
  };
}

const NAMES: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'a boolean',
  integer: 'an integer',
  null: 'null',
  number: 'a number',
  object: 'an object',
  string: 'a string',
};

function typeCheck(schema: JsonSchema): Check | undefined {
  const types = typesOf(schema);
  if (!types) return undefined;
  const allowed = new Set(types);
  const message =
    types.length === NOT_NULL.length
      ? 'must not be null'
      : `must be ${types.map((type) => NAMES[type]).join(' or ')}`;
  if (allowed.has('integer')) {
    return (value, walk) => {
      if (!Number.isInteger(value) && !allowed.has(jsonTypeOf(value))) walk.refuse(message);
    };
  }
  return (value, walk) => {
    if (!allowed.has(jsonTypeOf(value))) walk.refuse(message);
  };
}

function members({ enum: values }: JsonSchema): Check | undefined {
  if (!values) return undefined;
  const allowed = new Set(values);
  return (value, walk) => {
    if (!allowed.has(value)) walk.refuse('must be one of the allowed values');
  };
}

function elements({ items }: JsonSchema, find: FindReferred): Check | undefined {
  const check = items && compileCheck(items, find);
  if (!check) return undefined;
  return (value, walk) => {
    if (!Array.isArray(value)) return;
    // A hole in a list that is sent becomes `null`.
    for (let index = 0; index < value.length; index++) walk.at(index, value[index] ?? null, check);
  };
}

const differing: Check = (value, walk) => {
  if (!Array.isArray(value)) return;
  const index = repeatedElement(value);
  if (index >= 0) walk.refuseAt(index, 'must differ from the elements before it');
};

function entries({ additionalProperties }: JsonSchema, find: FindReferred): Check | undefined {
  const check =
    typeof additionalProperties === 'object' ? compileCheck(additionalProperties, find) : undefined;
  if (!check) return undefined;
  return (value, walk) => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, entry] of Object.entries(value)) if (key !== '__proto__') walk.at(key, entry, check);
  };
}

function alternatives({ anyOf }: JsonSchema, find: FindReferred): Check | undefined {
  if (!anyOf) return undefined;
  if (anyOf === DATE_SCHEMA.anyOf) return date;
  const isNullable = anyOf.some(({ type }) => type === 'null');
  const others = anyOf.filter(({ type }) => type !== 'null');
  const check = others.length === 1 ? compileCheck(others[0]!, find) : union(others, find);
  if (!isNullable || !check) return check;
  return (value, walk) => {
    if (value !== null) check(value, walk);
  };
}

const date: Check = (value, walk) => {
  if (typeof value === 'string' && !isDateText(value)) {
    walk.refuse('must be a date, such as 2026-01-31 or 2026-01-31T10:00:00Z');
  }
};

/** A field of the data says which class it has. */
function union(variants: readonly JsonSchema[], find: FindReferred): Check {
  const found = variants.map(({ $ref }) => find($ref!));
  const property = found[0]!.discriminator!.property;
  const byName = new Map(found.map(({ discriminator, check }) => [discriminator!.name as unknown, check]));
  const message = `must be one of: ${[...byName.keys()].join(', ')}`;
  return (value, walk) => {
    if (jsonTypeOf(value) !== 'object') return walk.refuse('must be an object');
    const name = Object.hasOwn(value as object, property)
      ? (value as Record<string, unknown>)[property]
      : undefined;
    const check = byName.get(name);
    if (check) check(value, walk);
    else walk.refuseAt(property, message);
  };
}

/** One field of a class. */
export interface FieldCheck {
  readonly key: string;
  readonly required: boolean;
  readonly check: Check | undefined;
}

/** Checks that a value is an object with these fields; it looks at no others. */
export function checkFields(value: unknown, fields: readonly FieldCheck[], walk: ValueWalk): void {
  if (jsonTypeOf(value) !== 'object') return walk.refuse('must be an object');
  const data = value as Record<string, unknown>;
  for (const { key, required, check } of fields) {
    const field = Object.hasOwn(data, key) ? data[key] : undefined;
    if (field !== undefined) {
      if (check) walk.at(key, field, check);
    } else if (required) walk.refuseAt(key, 'must be there');
  }
}
