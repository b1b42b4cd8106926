import { describe, expect, it } from '@jest/globals';
import { GatewayError, RoomDocument } from '@wss/core';
import { newSeed, Random } from '@wss/testing';
import { Type } from 'class-transformer';
import { ArrayUnique, IsEnum, IsInt, IsString, Length, Max, ValidateNested } from 'class-validator';
import { DocumentType } from './document-type.js';

enum Level {
  Low,
  High,
}
class Item {
  @Length(1, 1) sign = 'a';
  @IsEnum(Level) level = Level.Low;
}

@RoomDocument('list')
class List {
  @ValidateNested({ each: true }) @Type(() => Item) items: Item[] = [];
  @IsString({ each: true }) words: string[] = [];
  @ArrayUnique() pairs: unknown[] = [];
  @IsInt() @Max(9) count = 0;
}

const type = new DocumentType(List);
/** As a release with other rules wrote it. */
const OLD = JSON.stringify({
  items: Array.from({ length: 30 }, (_, i) => ({ sign: i % 2 === 0 ? '\u2764\ufe0f' : 'a', level: 'Low' })),
  words: 'a',
  pairs: [{ a: 1 }, { a: 1 }, { a: 1 }],
  count: 99,
});

/** The details of the refusal; undefined if the change is written. */
function refusal(change: (list: List) => void, json = OLD): GatewayError['details'] | undefined {
  const stored = type.parse(json);
  const value = type.clone(stored);
  change(value);
  try {
    type.toJson(value, stored);
    return undefined;
  } catch (error) {
    return (error as GatewayError).details;
  }
}

describe('a document that another release wrote by other rules', () => {
  it.each<[string, (list: List) => void]>([
    ['nothing', () => undefined],
    ['adds what is right', ({ items }) => void items.push(new Item())],
    ['moves what is wrong', ({ items }) => void items.shift()],
    ['reorders it', ({ items }) => void items.reverse()],
    ['mends one of many', ({ items }) => void (items[0]!.level = Level.Low)],
    ['mends a field', (list) => void (list.words = ['a'])],
    ['removes an element', ({ pairs }) => void pairs.pop()],
  ])('takes a change that %s', (_, change) => {
    expect(refusal(change)).toBeUndefined();
  });

  it.each<[string, (list: List) => void, string]>([
    ['a value', (list) => void (list.count = 98), 'count'],
    ['an element', ({ items }) => void (items[0]!.sign = 'aaa'), 'items.0.sign'],
    ['one more of a kind', ({ items }) => void items.push(structuredClone(items[0]!)), 'items'],
    ['another field', (list) => void (list.pairs = 'x' as never), 'pairs'],
  ])('refuses a change that breaks %s anew', (_, change, place) => {
    const [first] = refusal(change) ?? [];
    expect(first?.path?.startsWith(place)).toBe(true);
  });

  it('is judged as any other once it is mended, with at most 20 details', () => {
    const wrong = (list: List): void => void (list.words = Array.from({ length: 50 }, () => 1 as never));
    expect(refusal(wrong, type.emptyJson)).toHaveLength(20);
    expect(refusal(wrong)?.length).toBeLessThanOrEqual(20);
  });

  it('stays as writable as it is through any run of changes', () => {
    const seed = newSeed();
    console.info(`CHAOS_SEED=${seed}`);
    const random = new Random(seed);
    let json = OLD;
    for (let i = 0; i < 200; i++) {
      const change = ({ items }: List): void => {
        if (random.below(2) === 0) items.splice(random.below(items.length + 1), 0, new Item());
        else items.splice(random.below(items.length + 1), 1);
      };
      const stored = type.parse(json);
      const value = type.clone(stored);
      change(value);
      json = type.toJson(value, stored);
    }
    expect(JSON.parse(json)).toMatchObject({ words: 'a', count: 99 });
  });
});
