import { describe, expect, it } from '@jest/globals';
import { PlainObject } from '@wss/core';
import { newSeed, Random } from '@wss/testing';
import jsonPatch from 'fast-json-patch';
import { cloneDeep, SharingCopy } from './clone.js';
import { diffJson } from './json-patch.js';

class Card {
  tags: string[] = ['a'];

  constructor(public title: string) {}
}
class Board {
  cards = [new Card('one'), new Card('two')];
  size = { x: 1, y: 2 };
}

describe('a copy that shares', () => {
  const earlier = cloneDeep(new Board());
  const changed = (change: (board: Board) => void): Board => {
    const board = cloneDeep(earlier);
    change(board);
    return new SharingCopy(board, earlier).value;
  };

  it('is the earlier copy where nothing has changed', () => {
    expect(changed(() => undefined)).toBe(earlier);
  });

  it('has new objects only where something in them has changed, of the same classes', () => {
    const copy = changed((board) => board.cards[1]!.tags.push('b'));
    expect(copy).toEqual({ ...earlier, cards: [new Card('one'), { title: 'two', tags: ['a', 'b'] }] });
    expect([copy.constructor, copy.cards[1]!.constructor]).toEqual([Board, Card]);
    expect(copy.size).toBe(earlier.size);
    expect(copy.cards[0]).toBe(earlier.cards[0]);
    expect(copy.cards[1]).not.toBe(earlier.cards[1]);
  });

  it('shares nothing with what it was made of', () => {
    const fresh = new Card('three');
    const copy = changed((board) => board.cards.push(fresh));
    fresh.title = 'changed';
    fresh.tags.push('changed');
    expect(copy.cards[2]).toEqual(new Card('three'));
  });

  it('takes over another class, another order of fields, and fewer of them', () => {
    const copy = changed((board) => {
      board.size = Object.assign(new Card('x'), board.size);
      board.cards.pop();
    });
    expect(copy.size).toBeInstanceOf(Card);
    expect(copy.cards.length).toBe(1);
    const turned = changed((board) => (board.size = { y: 2, x: 1 }));
    expect(JSON.stringify(turned.size)).toBe('{"y":2,"x":1}');
  });

  it('knows what JSON does not say', () => {
    const isJson = (value: unknown): boolean => new SharingCopy({ value }, {}).isJson;
    expect([0, '', null, true, [], [[1]], {}, new Card('x')].map(isJson)).not.toContain(false);
    const others = [undefined, NaN, Infinity, () => 1, Symbol('x'), 1n, new Date(), { toJSON: () => 1 }];
    expect([...others, [undefined], Array(1), { a: { b: undefined } }].map(isJson)).not.toContain(true);
  });

  it('keeps a field that is named like the prototype', () => {
    const value = JSON.parse('{"__proto__":{"a":1}}') as object;
    for (const copy of [cloneDeep(value), new SharingCopy(value, {}).value]) {
      expect(JSON.stringify(copy)).toBe('{"__proto__":{"a":1}}');
      expect(Object.getPrototypeOf(copy)).toBe(PlainObject.prototype);
    }
  });

  it('has no field that nobody set, whatever the prototype of what was copied', () => {
    const alien = Object.setPrototypeOf({ own: 1 }, { constructor: 1, inherited: 2 }) as object;
    for (const value of [{}, alien, Object.create(null) as object]) {
      for (const copy of [cloneDeep(value), new SharingCopy(value, {}).value] as Record<string, unknown>[]) {
        for (const key of ['constructor', 'toString', '__proto__', 'inherited']) {
          expect(copy[key]).toBeUndefined();
          copy[key] = key;
          expect(Object.entries(copy).at(-1)).toEqual([key, key]);
        }
      }
    }
  });

  it('differs from the earlier one by the patch of their JSON', () => {
    const seed = newSeed();
    const random = new Random(seed);
    let last: unknown = {};
    for (let step = 0; step < 2_000; step++) {
      const draft = cloneDeep(last) as Record<string, unknown>;
      edit(draft, random);
      const { value, isJson } = new SharingCopy(draft, last);
      const patch = diffJson(last, value);
      const patched: unknown = jsonPatch.applyPatch(cloneDeep(last), cloneDeep(patch)).newDocument;
      expect([seed, isJson, patched]).toEqual([seed, true, JSON.parse(JSON.stringify(draft))]);
      expect(patch).toEqual(diffJson(JSON.parse(JSON.stringify(last)), JSON.parse(JSON.stringify(draft))));
      last = value;
    }
  });
});

/** Changes something somewhere. */
function edit(at: unknown, random: Random): void {
  if (Array.isArray(at)) return editArray(at, random);
  const fields = at as Record<string, unknown>;
  const key = random.pick(['a', 'b', 'c', 'd/~', '1']);
  const field = fields[key];
  if (typeof field === 'object' && field !== null && random.below(3) > 0) return edit(field, random);
  if (random.below(4) === 0) delete fields[key];
  else fields[key] = anything(random);
}

function editArray(at: unknown[], random: Random): void {
  const index = random.below(at.length + 1);
  const element = at[index];
  if (typeof element === 'object' && element !== null && random.below(2) > 0) return edit(element, random);
  const [moved] = at.splice(index, random.below(2));
  if (random.below(3) > 0) at.splice(random.below(at.length + 1), 0, moved ?? anything(random));
}

function anything(random: Random): unknown {
  const make = [
    () => random.below(3),
    () => random.pick(['', 'text', '\u{1F600}', '/']),
    () => random.pick([null, true, false]),
    () => Array.from({ length: random.below(4) }, () => anything(random)),
    () => ({ a: random.below(2), b: [anything(random)] }),
  ];
  return random.pick(make)();
}
