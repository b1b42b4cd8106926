import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseWithoutProto, withoutDeepParts } from './json-text.js';

/** Strings that look like the ends of strings, lists and objects. */
const nastyText = fc.string({
  unit: fc.constantFrom('"', '\\', '[', ']', '{', '}', ',', ':', 'a', 'é', '😀'),
});
const keys = fc.oneof(nastyText, fc.constantFrom('__proto__', 'constructor', 'id'));

const { value: values } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6 },
    fc.oneof(nastyText, fc.integer(), fc.constantFrom(null, true, 1e-7)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(keys, tie('value')), { maxLength: 4 }).map(ownFields),
  ),
}));

/** An object with these fields of its own, also if one is called `__proto__`. */
function ownFields(fields: readonly (readonly [string, unknown])[]): object {
  const made = {};
  for (const [key, value] of fields)
    Object.defineProperty(made, key, { value, enumerable: true, configurable: true, writable: true });
  return made;
}

/** The value with `null` for everything that nests deeper. */
function shallow(value: unknown, levels: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (levels === 0) return null;
  if (Array.isArray(value)) return value.map((part) => shallow(part, levels - 1));
  return ownFields(Object.entries(value).map(([key, part]) => [key, shallow(part, levels - 1)]));
}

const indents = fc.constantFrom('', ' ', '\n\t');

describe('JSON without its deep parts', () => {
  it('has null in their places, and is left alone without any', () => {
    fc.assert(
      fc.property(values, fc.nat({ max: 5 }), indents, (value, levels, indent) => {
        const text = JSON.stringify(value, null, indent);
        const wanted = JSON.stringify(shallow(value, levels));
        const isDeep = wanted !== JSON.stringify(value);
        const found = withoutDeepParts(text, levels);
        if (!isDeep) expect(found).toBeUndefined();
        else expect(JSON.stringify(JSON.parse(found!))).toBe(wanted);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is no JSON if the whole text is none', () => {
    fc.assert(
      fc.property(
        fc.array(values),
        fc.nat({ max: 5 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (list, levels, part) => {
          const whole = JSON.stringify(list);
          const text = whole.slice(0, Math.floor(part * (whole.length - 1)));
          expect(() => JSON.parse(withoutDeepParts(text, levels) ?? text)).toThrow(SyntaxError);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('parsed JSON', () => {
  it('has no key __proto__, however it is written, and all others', () => {
    fc.assert(
      fc.property(values, fc.boolean(), (value, isEscaped) => {
        const plain = JSON.stringify(value);
        const text = isEscaped ? plain.replaceAll('__proto__', '\\u005f_pr\\u006fto__') : plain;
        const wanted: unknown = JSON.parse(text, (key, part: unknown) =>
          key === '__proto__' ? undefined : part,
        );
        expect(JSON.stringify(parseWithoutProto(text))).toBe(JSON.stringify(wanted));
      }),
      { numRuns: 2_000 },
    );
  });
});
