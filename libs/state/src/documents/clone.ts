import { isPlainObject, PlainObject } from '@wss/core';

type ObjectFields = Record<string, unknown>;

/**
 * A deep copy of JSON-like data that keeps the classes of its objects; objects without a class inherit nothing in the
 * copy, so that every key of them is data. Dates are copied; other exotic objects (maps, sets, boxed numbers) are not
 * JSON and must not be in a document.
 */
export function cloneDeep<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(cloneDeep) as T;
  if (value instanceof Date) return new Date(value) as T;
  const copy = emptyLike(value);
  for (const key of Object.keys(value)) setField(copy, key, cloneDeep((value as ObjectFields)[key]));
  return copy as T;
}

/**
 * A deep copy that shares equal parts with an earlier copy, so that comparing the two is cheap. Neither may be
 * changed.
 */
export class SharingCopy<T> {
  readonly value: T;
  /** True if the value equals its JSON: it contains no undefined, no date, and no `toJSON` of its own. */
  isJson = true;

  constructor(value: T, earlier: unknown) {
    this.value = this.copy(value, earlier) as T;
  }

  private copy(value: unknown, earlier: unknown): unknown {
    if (typeof value !== 'object' || value === null) {
      this.isJson &&= isJsonLeaf(value);
      return value;
    }
    if (typeof (value as ObjectFields).toJSON === 'function') {
      this.isJson = false;
      return cloneDeep(value);
    }
    return Array.isArray(value)
      ? this.copyArray(value, earlier)
      : this.copyObject(value as ObjectFields, earlier);
  }

  private copyArray(value: readonly unknown[], earlier: unknown): unknown {
    const known = Array.isArray(earlier) ? (earlier as unknown[]) : undefined;
    let copy: unknown[] | undefined = known?.length === value.length ? undefined : [];
    for (let i = 0; i < value.length; i++) {
      const element = this.copy(value[i], known?.[i]);
      if (!copy && element !== known![i]) copy = known!.slice(0, i);
      copy?.push(element);
    }
    return copy ?? known;
  }

  private copyObject(value: ObjectFields, earlier: unknown): unknown {
    const keys = Object.keys(value);
    const known = isAlike(value, keys, earlier) ? earlier : undefined;
    let copy = known ? undefined : emptyLike(value);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      const field = this.copy(value[key], known?.[key]);
      if (!copy && field !== known![key]) copy = firstFields(known!, keys, i);
      if (copy) setField(copy, key, field);
    }
    return copy ?? known;
  }
}

/** An object of the same class with these many of the fields. */
function firstFields(value: ObjectFields, keys: readonly string[], count: number): ObjectFields {
  const copy = emptyLike(value);
  for (let i = 0; i < count; i++) setField(copy, keys[i]!, value[keys[i]!]);
  return copy;
}

function isJsonLeaf(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value === 'string' || typeof value === 'boolean' || value === null;
}

/** True if an object has the same class as an earlier one, and the same fields in the same order. */
function isAlike(value: ObjectFields, keys: readonly string[], earlier: unknown): earlier is ObjectFields {
  if (typeof earlier !== 'object' || earlier === null) return false;
  if (Object.getPrototypeOf(earlier) !== prototypeOf(value)) return false;
  const others = Object.keys(earlier);
  if (others.length !== keys.length) return false;
  for (let i = 0; i < keys.length; i++) if (keys[i] !== others[i]) return false;
  return true;
}

function emptyLike(value: object): ObjectFields {
  const prototype = prototypeOf(value);
  return prototype === BARE ? new PlainObject() : (Object.create(prototype) as ObjectFields);
}

const BARE = PlainObject.prototype as object;
/** The class of the last object: most objects of a document have the same class as the one before. */
let lastClass: object = BARE;

/** The prototype that the copy of an object inherits from. */
function prototypeOf(value: object): object {
  const prototype = Object.getPrototypeOf(value) as object;
  if (prototype === BARE || prototype === lastClass) return prototype;
  return isPlainObject(value) ? BARE : (lastClass = prototype);
}

/** Sets an own field, even under the name of an inherited one. */
function setField(target: ObjectFields, key: string, value: unknown): void {
  if (key !== '__proto__') target[key] = value;
  else Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
}
