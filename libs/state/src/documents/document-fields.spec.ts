import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import type { Type as Class } from '@nestjs/common';
import { isPlainObject, RoomDocument, toInstance } from '@wss/core';
import { newSeed, Random } from '@wss/testing';
import { Exclude, Expose, Transform, Type } from 'class-transformer';
import { Allow, IsObject, IsOptional, IsString, ValidateNested } from 'class-validator';
import { isDeepStrictEqual } from 'node:util';
import { DocumentType } from './document-type.js';

/** A field of a random class. */
interface Form {
  /** The type as the compiler notes it. */
  readonly design: unknown;
  readonly decorators?: readonly PropertyDecorator[];
  /** The default, and another value of the declared type. */
  readonly values: readonly [() => unknown, () => unknown];
  readonly remedy?: RegExp;
}

class Card {
  @IsString() title = 'new';
  @IsOptional() @IsString() note?: string;
}
class Tagged {
  @Allow() tags: Set<string> = new Set();
}
class Needy {
  @IsString() name: string;
  constructor(given: { name: string }) {
    this.name = given.name;
  }
}

const same = <T>(make: () => T): readonly [() => T, () => T] => [make, make];
const cyclic = (): object => {
  const value: { self?: object } = {};
  value.self = [value];
  return value;
};
const list = { design: Array, values: [() => [], () => ['a', null, { b: 1.5 }]] } as const;
const one = [ValidateNested(), Type(() => Card)];
const nested = [ValidateNested({ each: true }), Type(() => Card)];

const FORMS: Readonly<Record<string, Form>> = {
  text: { design: String, values: [() => '', () => '__proto__ é😀'] },
  number: { design: Number, values: [() => -0.5, () => 1e21] },
  flag: { design: Boolean, values: [() => false, () => true] },
  nothing: { design: Object, values: [() => null, () => ({ deep: [[]] })] },
  absent: { design: String, values: [() => undefined, () => 'there'] },
  list,
  map: {
    design: Object,
    decorators: [IsObject()],
    values: [() => ({}), () => ({ constructor: 1, a: { b: [] } })],
  },
  card: { design: Card, decorators: [...one], values: same(() => new Card()) },
  noCard: { design: Card, decorators: [...one], values: [() => undefined, () => new Card()] },
  cards: { ...list, decorators: [...nested], values: [() => [], () => [new Card(), new Card()]] },
  needy: {
    design: Needy,
    decorators: [Transform(({ value }) => (value ? new Needy(value as Needy) : (value as unknown)))],
    values: [() => undefined, () => new Needy({ name: 'a' })],
  },
  typedDate: { design: Date, decorators: [Type(() => Date)], values: [() => new Date(5), () => new Date(0)] },
  noDate: { design: Date, decorators: [Type(() => Date)], values: [() => undefined, () => new Date(7)] },

  set: { design: Set, values: same(() => new Set(['a'])), remedy: /JSON has no Set; keep a list/ },
  noSet: { design: Set, values: [() => undefined, () => new Set()], remedy: /JSON has no Set/ },
  typedSet: {
    design: Set,
    decorators: [Type(() => String)],
    values: same(() => new Set()),
    remedy: /no Set/,
  },
  hiddenSet: {
    design: Object,
    values: same(() => ({ deep: [new Set()] })),
    remedy: /deep\.0: JSON has no Set/,
  },
  realMap: { design: Map, values: same(() => new Map()), remedy: /JSON has no Map; keep a Record/ },
  date: { design: Date, values: same(() => new Date(5)), remedy: /@Type\(\(\) => Date\)/ },
  hiddenDate: { design: Object, values: same(() => [new Date(5)]), remedy: /@Type\(\(\) => Date\)/ },
  badDate: {
    design: Date,
    decorators: [Type(() => Date)],
    values: same(() => new Date(NaN)),
    remedy: /Date/,
  },
  bigint: { design: BigInt, values: same(() => 5n), remedy: /as a string/ },
  noBigint: { design: BigInt, values: [() => undefined, () => 5n], remedy: /as a string/ },
  symbol: { design: Symbol, values: same(() => Symbol('a')), remedy: /keep a string/ },
  callback: { design: Function, values: same(() => () => 1), remedy: /a method/ },
  nan: { design: Number, values: same(() => NaN), remedy: /NaN becomes null/ },
  infinite: { design: Number, values: same(() => -Infinity), remedy: /-Infinity becomes null/ },
  hole: { design: Array, values: same(() => [1, undefined]), remedy: /use null/ },
  undefinedKey: {
    design: Object,
    values: same(() => ({ a: undefined })),
    remedy: /use null, or leave it out/,
  },
  cyclic: { design: Object, values: same(cyclic), remedy: /contains itself/ },
  symbolKey: { design: Object, values: same(() => ({ [Symbol('a')]: 1 })), remedy: /keys that are symbols/ },
  bytes: { design: Buffer, values: same(() => Buffer.from('a')), remedy: /base64/ },
  pattern: { design: RegExp, values: same(() => /a/), remedy: /source/ },
  fault: { design: Error, values: same(() => new Error('a')), remedy: /message/ },
  bareCard: {
    design: Card,
    decorators: [ValidateNested()],
    values: same(() => new Card()),
  },
  noBareCard: { design: Card, values: [() => undefined, () => new Card()], remedy: /@Type\(\(\) => Card\)/ },
  hiddenCard: { design: Object, values: same(() => ({ a: new Card() })), remedy: /@Type\(\(\) => Card\)/ },
  tagged: {
    ...{ design: Array, decorators: [Type(() => Tagged)] },
    values: [() => [], () => [new Tagged()]],
    remedy: /tags: JSON has no Set/,
  },
  excluded: { design: String, decorators: [Exclude()], values: [() => 'a', () => 'b'], remedy: /@Exclude/ },
  renamed: {
    design: String,
    decorators: [Expose({ name: 'x' })],
    values: [() => 'a', () => 'b'],
  },
  counting: {
    ...{ design: Number, decorators: [Transform(({ value }) => (value as number) + 1)] },
    values: [() => 1, () => 2],
    remedy: /@Transform/,
  },
};

/** A class with these fields, in which every value is the first or the second one of its form. */
function classOf(forms: readonly string[]): { type: Class<Record<string, unknown>>; sample: () => object } {
  class Made {
    [field: string]: unknown;
    constructor() {
      forms.forEach((name, i) => (this[`${name}${i}`] = FORMS[name]!.values[0]()));
    }
  }
  RoomDocument('made')(Made);
  forms.forEach((name, i) => {
    const { design, decorators = [] } = FORMS[name]!;
    for (const decorate of [IsOptional(), ...decorators]) decorate(Made.prototype, `${name}${i}`);
    Reflect.defineMetadata('design:type', design, Made.prototype, `${name}${i}`);
  });
  const sample = (): object =>
    Object.assign(
      new Made(),
      Object.fromEntries(forms.map((name, i) => [`${name}${i}`, FORMS[name]!.values[1]()])),
    );
  return { type: Made, sample };
}

/** Data without a class count as equal, whatever they inherit from. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (value instanceof Set || value instanceof Map || ArrayBuffer.isView(value)) return value;
  if (value instanceof Error || value instanceof RegExp) return value;
  if (Array.isArray(value)) return value.map(plain);
  const fields = Object.entries(value).map(([key, field]) => [key, plain(field)] as const);
  const symbols = Object.getOwnPropertySymbols(value);
  return [isPlainObject(value) ? '' : value.constructor, fields, symbols];
}

function survives(type: Class<object>, value: object): boolean {
  try {
    return isDeepStrictEqual(plain(toInstance(type, JSON.parse(JSON.stringify(value)))), plain(value));
  } catch {
    return false;
  }
}

function bootError(type: Class<object>): string | undefined {
  try {
    new DocumentType(type);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

describe('a document class', () => {
  it.each(Object.entries(FORMS))('with a field "%s" boots, or names field and remedy', (name, { remedy }) => {
    const error = bootError(classOf([name]).type);
    if (!remedy) return expect(error).toBeUndefined();
    expect(error).toMatch(/^the document Made can't be stored: /);
    expect(error).toContain(`${name}0`);
    expect(error).toMatch(remedy);
  });

  it('boots if its values come back from JSON as they were, and else does not', () => {
    const random = new Random(newSeed());
    const good = Object.keys(FORMS).filter((name) => !FORMS[name]!.remedy);
    for (let i = 0; i < 600; i++) {
      // Half of the classes would nearly never boot if one of all forms were drawn for each field.
      const choices = random.below(2) === 0 ? good : Object.keys(FORMS);
      const forms = Array.from({ length: 1 + random.below(4) }, () => random.pick(choices));
      const { type, sample } = classOf(forms);
      const whole = survives(type, new type()) && survives(type, sample());
      const error = bootError(type);
      const found = { seed: random.seed, forms, boots: error === undefined };
      expect(found).toEqual({ ...found, boots: whole });
    }
  });

  it('may have methods and getters without rules, and recursive classes', () => {
    class Node {
      @IsOptional() @ValidateNested({ each: true }) @Type(() => Node) below: Node[] = [];
      get size(): number {
        return this.below.length;
      }
      add(): void {
        this.below.push(new Node());
      }
    }
    @RoomDocument('tree')
    class Tree extends Node {}
    expect(bootError(Tree)).toBeUndefined();
  });

  it('can not have a getter with rules', () => {
    @RoomDocument('poll')
    class Poll {
      votes: string[] = [];
      @Allow() get count(): number {
        return this.votes.length;
      }
    }
    expect(bootError(Poll)).toMatch(/Poll can't be stored: count: a getter/);
  });
});
