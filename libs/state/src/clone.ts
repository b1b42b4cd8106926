/**
 * A deep copy of JSON-like data that keeps the classes of its objects. Dates are copied; other exotic objects
 * (maps, sets) are no JSON and must not be in a document.
 */
export function cloneDeep<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(cloneDeep) as T;
  if (value instanceof Date) return new Date(value) as T;
  const copy = Object.create(Object.getPrototypeOf(value) as object | null) as Record<string, unknown>;
  for (const key of Object.keys(value)) copy[key] = cloneDeep((value as Record<string, unknown>)[key]);
  return copy as T;
}
