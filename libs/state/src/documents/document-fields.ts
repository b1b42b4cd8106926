import { isDeepStrictEqual } from 'node:util';
import type { Type } from '@nestjs/common';
import {
  changedValue,
  computedProperty,
  declaredProblem,
  type FieldProblem,
  isPlainObject,
  lostValue,
  toInstance,
  typedClasses,
  unreadKey,
} from '@wss/core';

/**
 * Checks that values of a document's class survive JSON: one node writes it, and another one reads the same value. It
 * looks at the declared types of the fields that have decorators, and at a new instance.
 * @throws Error with the class, the field and the remedy
 */
export function requireStorable(type: Type<object>): void {
  const found = problemOf(type);
  if (!found) return;
  const { path, problem } = found;
  throw new Error(`the document ${type.name} can't be stored: ${path}: ${problem}`);
}

function problemOf(type: Type<object>): FieldProblem | undefined {
  return declaredProblem(type, 'stored') ?? defaultProblem(type, new type()) ?? nestedProblem(type, [type]);
}

/** Elements of lists have no default instance in the document, so their classes are looked at by themselves. */
function nestedProblem(type: Type<object>, known: Type<object>[]): FieldProblem | undefined {
  for (const [property, nested] of typedClasses(type)) {
    if (known.includes(nested)) continue;
    known.push(nested);
    const found = instanceProblem(nested) ?? nestedProblem(nested, known);
    if (found) return { ...found, path: `${property}.${found.path}` };
  }
  return undefined;
}

/** A class that can't be made without arguments can't be looked at. */
function instanceProblem(type: Type<object>): FieldProblem | undefined {
  let instance: object;
  try {
    instance = new type();
  } catch {
    return undefined;
  }
  return defaultProblem(type, instance);
}

function defaultProblem(type: Type<object>, instance: object): FieldProblem | undefined {
  const computed = computedProperty(type);
  if (computed !== undefined) {
    const problem = 'a getter is no part of the JSON; make it a field, or take its decorators away';
    return { path: computed, problem };
  }
  const lost = lostIn(instance, '', []);
  if (lost) return lost;
  const unread = unreadKey(type, instance);
  if (unread !== undefined) {
    const problem = 'it is written, but not read under this name; take @Exclude or @Expose away';
    return { path: unread, problem };
  }
  return changedIn(instance, toInstance(type, JSON.parse(JSON.stringify(instance))), '');
}

/** The first part of a value that JSON loses. */
function lostIn(value: unknown, path: string, above: readonly object[]): FieldProblem | undefined {
  const problem = lostValue(value);
  if (problem !== undefined) return { path, problem };
  if (typeof value !== 'object' || value === null || value instanceof Date) return undefined;
  if (above.includes(value)) return { path, problem: 'it contains itself; refer to the other part by a key' };
  if (Object.getOwnPropertySymbols(value).length > 0)
    return { path, problem: 'JSON has no keys that are symbols; use strings' };
  for (const key of Array.isArray(value) ? value.keys() : Object.keys(value)) {
    const place = path === '' ? String(key) : `${path}.${key}`;
    const field = Object.getOwnPropertyDescriptor(value, key);
    if (field?.get) return { path: place, problem: 'a getter is no data; make it a field' };
    // A class gives a field without a value anew; lists and maps lose it.
    if (field?.value === undefined && isPlain(value))
      return { path: place, problem: 'JSON has no undefined here; use null, or leave it out' };
    const found = lostIn(field?.value, place, [...above, value]);
    if (found) return found;
  }
  return undefined;
}

/** The first part of a value that comes back as something else. */
function changedIn(value: unknown, read: unknown, path: string): FieldProblem | undefined {
  if (value === read || isDeepStrictEqual(value, read)) return undefined;
  if (isObject(value) && isObject(read) && classOf(value) === classOf(read)) {
    for (const key of new Set([...Object.keys(value), ...Object.keys(read)])) {
      const found = changedIn(value[key], read[key], path === '' ? key : `${path}.${key}`);
      if (found) return found;
    }
    if (!(value instanceof Date)) return undefined;
  }
  return { path, problem: changedValue(value) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isPlain(value: object): boolean {
  return Array.isArray(value) || isPlainObject(value);
}

function classOf(value: object): unknown {
  return isPlainObject(value) ? undefined : Object.getPrototypeOf(value);
}
