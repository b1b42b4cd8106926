const QUOTE = 34;
const BACKSLASH = 92;
const OPEN_LIST = 91;
const CLOSE_LIST = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

/**
 * Returns JSON in which everything that nests deeper than `levels` is `null`; undefined if nothing does. It looks at each
 * character once and makes no value, so that text that must be refused costs little whatever is in it.
 */
export function withoutDeepParts(text: string, levels: number): string | undefined {
  let kept: string | undefined;
  let depth = 0;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === OPEN_LIST || code === OPEN_OBJECT) {
      if (depth++ === levels) kept = (kept ?? '') + text.slice(from, at);
    } else if (code === CLOSE_LIST || code === CLOSE_OBJECT) {
      if (--depth !== levels) continue;
      kept += 'null';
      from = at + 1;
    }
  }
  // Text that ends within a deep part is no JSON, and has nothing in the place of that part.
  return kept === undefined || depth > levels ? kept : kept + text.slice(from);
}

/** Returns the index of the quote that ends the string that begins here, or the end of the text. */
function endOfString(text: string, begin: number): number {
  for (let at = text.indexOf('"', begin + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let escapes = 0;
    while (text.charCodeAt(at - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return at;
  }
  return text.length;
}

/** Parses JSON without letting a key named `__proto__` through; throws what `JSON.parse` throws. */
export function parseWithoutProto(text: string): unknown {
  const value: unknown = JSON.parse(text);
  // A reviver would make parsing ten times slower. Without these the key can't be in the text.
  if (text.includes('__proto__') || text.includes('\\u00')) dropProto(value);
  return value;
}

function dropProto(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) Reflect.deleteProperty(value, '__proto__');
  for (const each of Array.isArray(value) ? value : Object.values(value)) dropProto(each);
}
