/** An operation of a JSON Patch (RFC 6902); `test` and `copy` are never sent. */
export interface PatchOperation {
  readonly op: string;
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

/**
 * Applies a patch. Values on the way to a change are copied, everything else is shared with the old value, so that a
 * view can tell by identity what changed.
 * @throws Error when a path does not exist: the copy is not what the patch was made for.
 */
export function applyPatch(value: unknown, operations: readonly PatchOperation[]): unknown {
  return operations.reduce(applyOne, value);
}

function applyOne(root: unknown, { op, path, from, value }: PatchOperation): unknown {
  if (op === 'move') {
    const moved = read(root, keysOf(from!));
    return edit(edit(root, keysOf(from!), 'remove'), keysOf(path), 'add', moved);
  }
  return edit(root, keysOf(path), op, value);
}

function edit(node: unknown, keys: readonly string[], op: string, value?: unknown): unknown {
  const [key, ...rest] = keys;
  if (key === undefined) return value;
  if (Array.isArray(node)) return editArray(node, key, rest, op, value);
  const copy = { ...(node as Record<string, unknown>) };
  if (rest.length > 0) set(copy, key, edit(get(copy, key), rest, op, value));
  else if (op === 'remove') delete copy[key];
  else set(copy, key, value);
  return copy;
}

function editArray(
  node: unknown[],
  key: string,
  rest: readonly string[],
  op: string,
  value: unknown,
): unknown[] {
  const copy = [...node];
  const index = key === '-' ? copy.length : Number(key);
  if (!(index >= 0 && index <= copy.length)) throw new Error(`no element ${key}`);
  if (rest.length > 0) copy[index] = edit(copy[index], rest, op, value);
  else if (op === 'add') copy.splice(index, 0, value);
  else if (op === 'remove') copy.splice(index, 1);
  else copy[index] = value;
  return copy;
}

function read(node: unknown, keys: readonly string[]): unknown {
  return keys.reduce((at, key) => (Array.isArray(at) ? at[Number(key)] : get(at as object, key)), node);
}

function get(node: object, key: string): unknown {
  if (!Object.hasOwn(node, key)) throw new Error(`no property ${key}`);
  return (node as Record<string, unknown>)[key];
}

/** Also a key like `__proto__` becomes a property, never a prototype. */
function set(node: object, key: string, value: unknown): void {
  Object.defineProperty(node, key, { value, enumerable: true, configurable: true, writable: true });
}

function keysOf(path: string): string[] {
  return path === ''
    ? []
    : path
        .slice(1)
        .split('/')
        .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
}
