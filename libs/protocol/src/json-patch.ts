/** An operation of a JSON Patch (RFC 6902); `test` and `copy` are never sent. */
export interface PatchOperation {
  readonly op: string;
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

/**
 * Applies a patch. Values on the path to a change are copied, and everything else is shared with the old value, so
 * that views can detect changes by identity.
 * @throws Error when a path does not exist, or names `__proto__`: the patch was made for a different value.
 */
export function applyPatch(value: unknown, operations: readonly PatchOperation[]): unknown {
  return operations.reduce(applyOne, value);
}

function applyOne(root: unknown, { op, path, from, value }: PatchOperation): unknown {
  if (op !== 'move') return edit(root, keysOf(path), op, value);
  const keys = keysOf(from!);
  return edit(edit(root, keys, 'remove'), keysOf(path), 'add', keys.reduce(child, root));
}

function edit(node: unknown, [key, ...rest]: readonly string[], op: string, value?: unknown): unknown {
  if (key === undefined) return value;
  const isList = Array.isArray(node);
  const copy = (isList ? [...(node as unknown[])] : { ...(node as object) }) as unknown[];
  const index = (isList && key === '-' ? copy.length : key) as number;
  // A value assigned to `__proto__` becomes the object's prototype.
  const isNew = op === 'add' && !rest.length && key !== '__proto__' && (!isList || index <= copy.length);
  const old = isNew || child(node, key);
  if (rest.length) copy[index] = edit(old, rest, op, value);
  else if (isList && isNew) copy.splice(index, 0, value);
  else if (op !== 'remove') copy[index] = value;
  else if (isList) copy.splice(index, 1);
  else delete copy[index];
  return copy;
}

function child(node: unknown, key: string): unknown {
  if (!Object.hasOwn(node as object, key)) throw new Error(key);
  return (node as Record<string, unknown>)[key];
}

function keysOf(path: string): string[] {
  const keys = path.split('/').slice(1);
  return keys.map((key) => key.replace(/~1/g, '/').replace(/~0/g, '~'));
}
