/**
 * Patterns of JSON Schema are read as Unicode (flag `u`), those of JavaScript without the flag by units of 16 bits. A
 * pattern is published only where both mean the same; `undefined` says that they may not.
 */
export function publishedPattern(source: string, flags: string): string | undefined {
  if (/[yv]/.test(flags)) return undefined;
  const unicode = flags.includes('u');
  const ignoresCase = flags.includes('i');
  if (unicode && !/[ims]/.test(flags)) return source;
  if (unicode || !isNarrow(source, flags)) return undefined;
  const pattern = ignoresCase ? bothCases(source) : source;
  return pattern !== undefined && isUnicode(pattern) ? pattern : undefined;
}

/** A pattern that finds a text literally; `undefined` if the text is empty or begins or ends within a character. */
export function literalPattern(text: string): string | undefined {
  if (text === '' || hasHalf(text)) return undefined;
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** True if a text has half of a surrogate pair. */
function hasHalf(text: string): boolean {
  return /[\uD800-\uDFFF]/u.test(text);
}

function isUnicode(pattern: string): boolean {
  try {
    return new RegExp(pattern, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}

/**
 * True if each part of a pattern takes characters of ASCII alone, or any number of others: `.*`. One `.`, and classes
 * that exclude, take half of a character where there is no flag `u`.
 */
function isNarrow(source: string, flags: string): boolean {
  if (!/^[\x20-\x7e]*$/.test(source)) return false;
  if (flags.includes('m') && /[\^$]/.test(source.replace(/\[\^/g, '['))) return false;
  if (/\\[^dws.\\^$*+?()[\]{}|/trnfvb-]/.test(source)) return false;
  const escaped = source.replace(/\\./g, (escape) => (/[dws]/.test(escape[1]!) ? 'd' : 'x'));
  const wide = escaped.replace(/\[\^[^\]]*\]/g, '.').replace(/\[[^\]]*\]/g, 'c');
  if (flags.includes('s') && wide.includes('.')) return false;
  // `.+` counts a character, so what follows must not be able to take its second half.
  const next = /\.\+(?=$|\$|[\w@ :/=-](?![?*{]))/g;
  const narrow = wide.replace(/\.\*\??/g, '').replace(/[(|]/.test(wide) ? /(?!)/ : next, '');
  return !narrow.includes('.');
}

/** The pattern with each letter in both cases; `undefined` if that can't be said simply. */
function bothCases(source: string): string | undefined {
  if (/\\[^dws.\\^$*+?()[\]{}|/-]/.test(source) || /\(\?</.test(source)) return undefined;
  if (hasMixedRange(source)) return undefined;
  let inClass = false;
  let pattern = '';
  for (const token of source.match(/\\.|[A-Za-z]-[A-Za-z]|[\s\S]/g) ?? []) {
    if (token === '[') inClass = true;
    if (token === ']') inClass = false;
    const cased = /^[A-Za-z](-[A-Za-z])?$/.test(token);
    if (!cased) pattern += token;
    else if (token.length === 3 && inClass) {
      const range = caseRange(token);
      if (range === undefined) return undefined;
      pattern += range;
    } else pattern += token.replace(/[A-Za-z]/g, (letter) => letterCases(letter, inClass));
  }
  return pattern;
}

/** True if a range goes from a letter to a sign or digit, or back: it holds letters that it does not name. */
function hasMixedRange(source: string): boolean {
  const classes = source.replace(/\\./g, '.').matchAll(/\[\^?([^\]]*)\]/g);
  return [...classes].some(([, inner = '']) => /[A-Za-z]-[^A-Za-z]|[^A-Za-z]-[A-Za-z]/.test(inner));
}

function letterCases(letter: string, inClass: boolean): string {
  const both = letter.toUpperCase() + letter.toLowerCase();
  return inClass ? both : `[${both}]`;
}

/** A range of letters in both cases; a range from upper to lower case holds signs as well. */
function caseRange(range: string): string | undefined {
  const sameCase = /^([a-z]-[a-z]|[A-Z]-[A-Z])$/.test(range);
  return sameCase ? range.toUpperCase() + range.toLowerCase() : undefined;
}
