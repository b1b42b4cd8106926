/** How much each collection of a graph of objects holds, by the class and field that it is found at. */
export type KeptState = ReadonlyMap<string, number>;

/** Objects that the walk leaves out. */
export interface KeptStateOptions {
  /**
   * Caches with a bound of their own, e.g. `Committer.rooms`; neither they nor their content is counted while they
   * keep to it.
   */
  readonly caches?: Readonly<Record<string, number>>;
}

/** The runtime's own objects; objects behind them are not the application's. */
const FOREIGN = new Set([
  'Socket',
  'TLSSocket',
  'Server',
  'ServerResponse',
  'IncomingMessage',
  'Timeout',
  'Immediate',
  'AbortController',
  'AbortSignal',
  'AsyncLocalStorage',
  // Made when a logger writes its first line.
  'ConsoleLogger',
  // Collections of the Redis driver: rings that keep their capacity, and commands on their way.
  'Denque',
  'Command',
]);
const CLOSED = [ArrayBuffer, Promise, WeakMap, WeakSet, WeakRef, Date, RegExp];
/** Plain objects with more properties than this are dictionaries: their keys name no place. */
const MOST_FIELDS = 30;

/**
 * Walks everything that can be reached from an object by properties, maps, sets and arrays, and counts what the
 * collections hold: a new one anywhere is found without being named. Objects that only closures hold are not seen.
 */
export function keptState(root: object, { caches = {} }: KeptStateOptions = {}): KeptState {
  const counts = new Map<string, number>();
  const seen = new Set<object>();
  const open: [place: string, value: unknown][] = [[placeOf(root, 'root'), root]];
  for (let next = open.pop(); next; next = open.pop()) {
    const [place, value] = next;
    if (!isOpen(value) || seen.has(value)) continue;
    seen.add(value);
    const size = sizeOf(value) ?? 0;
    if (size <= (caches[place] ?? -1)) continue;
    if (size > 0) counts.set(place, (counts.get(place) ?? 0) + size);
    open.push(...contentOf(value, place));
  }
  return counts;
}

/** Lists the places that hold more in the second state, for people. */
export function keptSurplus(before: KeptState, after: KeptState): string[] {
  return [...after].flatMap(([place, size]) => {
    const was = before.get(place) ?? 0;
    return size > was ? [`${place}: ${was} → ${size}`] : [];
  });
}

function isOpen(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false;
  if (CLOSED.some((type) => value instanceof type)) return false;
  return !FOREIGN.has(classOf(value) ?? '');
}

function sizeOf(value: object): number | undefined {
  if (value instanceof Map || value instanceof Set) return value.size;
  if (Array.isArray(value)) return value.length;
  return classOf(value) === undefined ? Object.keys(value).length : undefined;
}

function contentOf(value: object, place: string): [string, unknown][] {
  if (value instanceof Map) {
    return [...value].flatMap(([key, item]) => [child(`${place}[]`, key), child(`${place}[]`, item)]);
  }
  if (value instanceof Set || Array.isArray(value))
    return [...value].map((item) => child(`${place}[]`, item));
  if (classOf(value) === 'InstanceWrapper') return [child(`${place}.instance`, providedBy(value))];
  const fields = Object.entries(Object.getOwnPropertyDescriptors(value));
  const isDictionary = classOf(value) === undefined && fields.length > MOST_FIELDS;
  return fields.map(([name, { value: field }]) =>
    child(isDictionary ? `${place}.*` : `${place}.${name}`, field),
  );
}

function child(place: string, value: unknown): [string, unknown] {
  return [placeOf(value, place), value];
}

/** Nest's container holds a provider by a weak map, and nobody else may hold it. */
function providedBy(wrapper: object): unknown {
  return (wrapper as { readonly instance: unknown }).instance;
}

/** An instance of a class is a place of its own, wherever it is found. */
function placeOf(value: unknown, place: string): string {
  if (typeof value !== 'object' || value === null) return place;
  if (value instanceof Map || value instanceof Set || Array.isArray(value)) return place;
  return classOf(value) ?? place;
}

/** Name of an object's class; nothing of plain objects. */
function classOf(value: object): string | undefined {
  const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null;
  const name = prototype?.constructor?.name;
  return name === undefined || name === 'Object' ? undefined : name;
}
