import type { Random } from '@wss/testing';

const LEAVES: readonly unknown[] = [
  ...[null, undefined, true, false, 0, -0, 1, 2, 3, 1.234, -1, Number.NaN, Infinity, 10n, Symbol('value')],
  ...['', 'a', 'ab', 'abc ', 'abcd', 'one', 'two', 'A', '😀', '\ud83d', 'a@b.cd', '2026-01-31', 'deadbeef'],
  ...[
    new Date(0),
    new Date(Number.NaN),
    new Map([['a', 1]]),
    new Set(['a']),
    /a/,
    () => 1,
    Promise.resolve(1),
  ],
];
const KEYS = [
  'a',
  'b',
  'c',
  '0',
  '7',
  'name',
  'kind',
  'then',
  'constructor',
  'length',
  'x-y',
  'renamed',
  'toString',
];

/** Data that no client should send, and some that one may. */
export class HostileData {
  constructor(private readonly random: Random) {}

  body(): unknown {
    return this.random.below(20) === 0 ? this.value(2) : this.object(3);
  }

  private value(depth: number): unknown {
    const kind = this.random.below(10);
    if (depth === 0 || kind < 4) return this.random.pick(LEAVES);
    if (kind > 7) return this.odd(depth);
    return kind < 6 ? this.list(depth) : this.object(depth);
  }

  private object(depth: number): Record<string, unknown> {
    const data: Record<string, unknown> = this.random.below(8) === 0 ? Object.create(null) : {};
    for (let i = this.random.below(7); i > 0; i--) data[this.random.pick(KEYS)] = this.value(depth - 1);
    if (this.random.below(4) === 0) data.kind = this.random.pick(['one', 'two', 'three', 'constructor']);
    return data;
  }

  private list(depth: number): unknown[] {
    if (this.random.below(400) === 0) return Array(2_000).fill(this.value(0));
    return Array.from({ length: this.random.below(4) }, () => this.value(depth - 1));
  }

  private odd(depth: number): unknown {
    const inner = this.value(depth - 1);
    const nest = (levels: number): unknown => (levels === 0 ? inner : [nest(levels - 1)]);
    return this.random.pick<() => unknown>([
      () => JSON.parse('{"__proto__":{"a":1,"kind":"two"},"a":{"__proto__":[]}}') as unknown,
      () => ({
        get a() {
          return inner;
        },
        b: inner,
      }),
      () => ({
        get name() {
          throw new Error('a getter');
        },
      }),
      () => Object.assign([inner], { 2: inner }),
      () => ({ [Symbol('key')]: inner, a: inner }),
      () => Object.assign(new (class Foreign {})(), { a: inner }),
      () => nest(200),
      () => Object.fromEntries(['then', 'toJSON', 'hasOwnProperty'].map((key) => [key, inner])),
    ])();
  }
}
