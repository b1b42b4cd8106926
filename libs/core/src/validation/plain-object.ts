/**
 * An object that inherits nothing, so that each of its keys is data: `constructor`, `toString` and `__proto__` are
 * absent until they are set, and then they are fields like all others.
 *
 * Unlike `Object.create(null)` it is laid out like an instance of a class, which is several times faster.
 */
export const PlainObject = function PlainObject() {} as unknown as new () => Record<string, unknown>;
(PlainObject as { prototype: object }).prototype = Object.freeze(Object.create(null) as object);

/** True if an object is data without a class, or has a foreign prototype that data may have set. */
export function isPlainObject(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === Object.prototype || prototype === PlainObject.prototype || prototype === null)
    return true;
  return !Object.hasOwn(prototype, 'constructor') || typeof prototype.constructor !== 'function';
}

/** An own field of data; inherited fields are not data. */
export function ownField(data: object, key: string): unknown {
  return Object.hasOwn(data, key) ? (data as Record<string, unknown>)[key] : undefined;
}
