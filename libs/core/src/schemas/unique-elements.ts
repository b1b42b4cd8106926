/** Index of the first element that equals an earlier one, as JSON; -1 if all differ. */
export function repeatedElement(list: readonly unknown[]): number {
  const seen = new Set<unknown>();
  return list.findIndex((element) => {
    const key = typeof element === 'object' && element !== null ? canonical(element) : literal(element);
    if (seen.has(key)) return true;
    seen.add(key);
    return false;
  });
}

/** Keeps texts apart from the JSON of objects and lists, which never begins like this. */
function literal(value: unknown): unknown {
  return typeof value === 'string' ? `"${value}` : value;
}

/** The same text for values that are equal as JSON, in whichever order their fields stand. */
function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (value instanceof Date) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  const fields = Object.keys(value)
    .filter((key) => key !== '__proto__' && (value as Record<string, unknown>)[key] !== undefined)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical((value as Record<string, unknown>)[key])}`);
  return `{${fields.join()}}`;
}
