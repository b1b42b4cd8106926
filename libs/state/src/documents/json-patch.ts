/** One operation of a JSON Patch (RFC 6902); only those that {@link diffJson} makes. */
export type DiffOperation =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'move'; readonly from: string; readonly path: string };

type Json = Record<string, unknown>;

/**
 * The operations that turn one JSON value into another, in linear time.
 *
 * Array elements that only moved, came or went in one place cost one operation each. Arrays with changes in several
 * places are compared index by index, which is correct but not always the shortest patch.
 */
export function diffJson(before: unknown, after: unknown): DiffOperation[] {
  const operations: DiffOperation[] = [];
  diffValue(before, after, undefined, operations);
  return operations;
}

/** Path of a value, from the inside out; most values are equal, so it becomes text only for different ones. */
type JsonPlace = { readonly parent: JsonPlace; readonly key: string | number } | undefined;

function diffValue(before: unknown, after: unknown, place: JsonPlace, out: DiffOperation[]): void {
  if (Object.is(before, after)) return;
  if (Array.isArray(before) && Array.isArray(after)) return diffArray(before, after, place, out);
  if (isObject(before) && isObject(after)) return diffObject(before, after, place, out);
  out.push({ op: 'replace', path: pathOf(place), value: after });
}

function diffObject(before: Json, after: Json, parent: JsonPlace, out: DiffOperation[]): void {
  for (const key of Object.keys(before)) {
    if (!Object.hasOwn(after, key)) out.push({ op: 'remove', path: pathOf({ parent, key }) });
  }
  for (const key of Object.keys(after)) {
    if (Object.is(before[key], after[key]) && Object.hasOwn(before, key)) continue;
    if (Object.hasOwn(before, key)) diffValue(before[key], after[key], { parent, key }, out);
    else out.push({ op: 'add', path: pathOf({ parent, key }), value: after[key] });
  }
}

function diffArray(before: unknown[], after: unknown[], parent: JsonPlace, out: DiffOperation[]): void {
  let start = 0;
  let endBefore = before.length;
  let endAfter = after.length;
  while (start < endBefore && start < endAfter && equalJson(before[start], after[start])) start++;
  while (endBefore > start && endAfter > start && equalJson(before[endBefore - 1], after[endAfter - 1])) {
    endBefore--;
    endAfter--;
  }
  if (endBefore === endAfter && moved(before, after, start, endBefore, parent, out)) return;
  const common = Math.min(endBefore, endAfter);
  for (let i = start; i < common; i++) diffValue(before[i], after[i], { parent, key: i }, out);
  for (let i = endBefore - 1; i >= common; i--) out.push({ op: 'remove', path: pathOf({ parent, key: i }) });
  for (let i = common; i < endAfter; i++)
    out.push({ op: 'add', path: pathOf({ parent, key: i }), value: after[i] });
}

/** Recognizes one element that moved within [start, end). */
function moved(
  before: unknown[],
  after: unknown[],
  start: number,
  end: number,
  parent: JsonPlace,
  out: DiffOperation[],
): boolean {
  const last = end - 1;
  const at = (key: number): string => pathOf({ parent, key });
  if (last <= start) return false;
  const shifted = (by: number): boolean => {
    const [from, to] = by > 0 ? [start + 1, end] : [start, last];
    for (let i = from; i < to; i++) if (!equalJson(before[i], after[i - by])) return false;
    return true;
  };
  if (equalJson(before[start], after[last]) && shifted(1)) {
    out.push({ op: 'move', from: at(start), path: at(last) });
    return true;
  }
  if (equalJson(before[last], after[start]) && shifted(-1)) {
    out.push({ op: 'move', from: at(last), path: at(start) });
    return true;
  }
  return false;
}

function equalJson(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((value, i) => equalJson(value, b[i]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equalJson(a[key], b[key]))
  );
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The place as a JSON Pointer (RFC 6901). */
function pathOf(place: JsonPlace): string {
  if (!place) return '';
  return `${pathOf(place.parent)}/${escapeKey(place.key)}`;
}

function escapeKey(key: string | number): string {
  if (typeof key === 'number' || !/[~/]/.test(key)) return String(key);
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
