import type { Type } from '@nestjs/common';
import type { TypeMetadata } from 'class-transformer/cjs/storage.js';
import { ClassShape, type Field, rulesOf } from '../schemas/class-shape.js';

/**
 * Data on its way through JSON. `stored`: written by one node and read by another as the same class. `sent`: only
 * written, clients read it. `received`: only read.
 */
export type JsonUse = 'stored' | 'sent' | 'received';

/** A field that JSON can't carry. */
export interface FieldProblem {
  /** Path from the class, such as `cards.owner`. */
  readonly path: string;
  /** The fault and the remedy. */
  readonly problem: string;
}

/** Types whose values JSON loses, and the form in which it keeps them. */
const LOST = new Map<unknown, string>([
  [Set, 'keep a list, or a Record<string, true>'],
  [Map, 'keep a Record<string, …>'],
  [WeakSet, 'keep a list of keys'],
  [WeakMap, 'keep a Record<string, …>'],
  [BigInt, 'keep its digits as a string'],
  [Symbol, 'keep a string'],
  [Function, 'make it a method of the class'],
  [Promise, 'await it, and keep the result'],
  [RegExp, 'keep its source as a string'],
  [Error, 'keep its message as a string'],
  ...[ArrayBuffer, DataView, Buffer, Uint8Array, Uint8ClampedArray, Int8Array, Uint16Array, Int16Array].map(
    (type) => [type, 'keep a string in base64, or a list of numbers'] as const,
  ),
  ...[Uint32Array, Int32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array].map(
    (type) => [type, 'keep a list of numbers'] as const,
  ),
]);

const DATE_REMEDY = 'add @Type(() => Date), or keep ms since 1970 as a number';
/** Types that say nothing about the value, or that JSON keeps. */
const KEPT = new Set<unknown>([undefined, Object, String, Number, Boolean, Array]);

/** The fault and the remedy for a value that JSON loses or changes; undefined for any other. */
export function lostValue(value: unknown): string | undefined {
  if (typeof value === 'bigint') return lostType(BigInt);
  if (typeof value === 'symbol') return lostType(Symbol);
  if (typeof value === 'function') return lostType(Function);
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return `${value} becomes null in JSON; use null, or a number that is finite`;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const type = [...LOST.keys()].find(
    (known) => typeof known === 'function' && value instanceof (known as Type<object>),
  );
  return type === undefined ? undefined : lostType(type);
}

/** The remedy for a value that comes back as something else. */
export function changedValue(value: unknown): string {
  if (value instanceof Date) return `a Date comes back as a string; ${DATE_REMEDY}`;
  const type = typeof value === 'object' && value !== null && (value.constructor as Type | undefined);
  if (type && !KEPT.has(type)) return nameless(type);
  return 'it comes back from JSON as something else; mind its decorators (@Transform, @Expose, @Exclude)';
}

/**
 * The first field of a class whose declared type does not fit its use, in the class or in those that `@Type` names.
 * A field with `@Transform` is left to it.
 */
export function declaredProblem(type: Type<object>, use: JsonUse): FieldProblem | undefined {
  return problemIn(type, use, []);
}

/**
 * Checks the class of a message: its fields must be such that JSON carries them.
 * @throws Error with the owner, the class, the field and the remedy
 */
export function requireCarried(type: Type<object>, use: JsonUse, owner: string): void {
  if (LOST.has(type)) throw new Error(`${owner}: ${lostType(type)}`);
  const found = declaredProblem(type, use);
  if (found) throw new Error(`${owner}: ${type.name}.${found.path}: ${found.problem}`);
}

/** The classes that `@Type` names in a class, by the property; without those that data is converted to. */
export function* typedClasses(type: Type<object>): Generator<readonly [string, Type<object>]> {
  for (const { property, type: metadata } of ClassShape.of(type).ruled.values()) {
    for (const nested of metadata ? classesOf(metadata) : []) yield [property, nested];
  }
}

/** The first key of an instance that is not read back into the property of the same name. */
export function unreadKey(type: Type<object>, instance: object): string | undefined {
  const read = new Map(ClassShape.of(type).fieldsOf(instance));
  return Object.keys(instance).find((key) => read.get(key)?.property !== key);
}

/** The first property with rules that has a getter in place of a value, so that JSON lacks it. */
export function computedProperty(type: Type<object>): string | undefined {
  return [...rulesOf(type)].find((property) => isAccessor(type.prototype as object, property));
}

function problemIn(
  type: Type<object>,
  use: JsonUse,
  path: readonly Type<object>[],
): FieldProblem | undefined {
  if (path.includes(type) || rulesOf(type).size === 0) return undefined;
  for (const field of ClassShape.of(type).ruled.values()) {
    const { property } = field;
    const problem = field.transforms.length > 0 ? undefined : problemOf(type, field, use);
    if (problem !== undefined) return { path: property, problem };
    for (const nested of field.type ? classesOf(field.type) : []) {
      const inner = problemIn(nested, use, [...path, type]);
      if (inner) return { ...inner, path: `${property}.${inner.path}` };
    }
  }
  return undefined;
}

function problemOf(owner: Type<object>, field: Field, use: JsonUse): string | undefined {
  const declared: unknown = Reflect.getMetadata('design:type', owner.prototype as object, field.property);
  if (declared === Date) {
    const isRead = use === 'sent' || (field.type && namedBy(field.type) === Date);
    return isRead ? undefined : `a Date comes as a string; ${DATE_REMEDY}`;
  }
  // A list becomes a set where @Type says so, and an object a map.
  if (use === 'received' && field.type && (declared === Set || declared === Map)) return undefined;
  if (LOST.has(declared)) return lostType(declared);
  if (use !== 'stored' || KEPT.has(declared) || field.type) return undefined;
  return nameless(declared as Type);
}

function nameless({ name }: Type): string {
  return `it comes back as an object without the class ${name}; add @Type(() => ${name})`;
}

function lostType(type: unknown): string {
  const { name } = type as Type;
  return `JSON has no ${name}; ${LOST.get(type)}`;
}

function classesOf(metadata: TypeMetadata): Type<object>[] {
  const subTypes = metadata.options?.discriminator?.subTypes ?? [];
  return [namedBy(metadata), ...subTypes.map(({ value }) => value)].filter(
    (type): type is Type<object> =>
      typeof type === 'function' && type !== Date && !KEPT.has(type) && !LOST.has(type),
  );
}

/** The class that `@Type` names; undefined where its function needs the data, or a class that is not there yet. */
function namedBy({ typeFunction }: TypeMetadata): unknown {
  try {
    return typeFunction({ newObject: {}, object: {}, property: '' });
  } catch {
    return undefined;
  }
}

function isAccessor(prototype: object | null, property: string): boolean {
  if (prototype === null || prototype === Object.prototype) return false;
  const { get, set } = Object.getOwnPropertyDescriptor(prototype, property) ?? {};
  return Boolean(get ?? set) || isAccessor(Object.getPrototypeOf(prototype) as object | null, property);
}
