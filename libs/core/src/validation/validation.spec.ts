import { describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { newSeed, Random } from '@wss/testing';
import { Expose, plainToInstance, Transform, Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayUnique,
  Contains,
  Equals,
  IsArray,
  IsBoolean,
  IsDate,
  IsDateString,
  IsDefined,
  IsEmail,
  IsEmpty,
  IsEnum,
  IsIn,
  IsInt,
  IsNotEmpty,
  IsNotEmptyObject,
  IsNumber,
  IsNumberString,
  IsObject,
  IsOptional,
  IsPositive,
  IsString,
  IsUrl,
  IsUUID,
  Length,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateBy,
  ValidateIf,
  ValidateNested,
  validateSync,
} from 'class-validator';
import { GatewayError } from '../errors/gateway-error.js';
import { ClassChecks } from '../schemas/class-check.js';
import { dtoReader } from './validation.js';

class Tag {
  @IsString() @MaxLength(8) name!: string;
  @IsOptional() @IsInt() weight?: number;
}
class Circle {
  @IsString() kind!: string;
  @IsNumber() radius!: number;
}
class Square {
  @IsString() kind!: string;
  @IsNumber() side!: number;
}
class Say {
  @IsString() @MaxLength(16) text!: string;
}
class Named {
  @IsString() @Length(1, 4) name!: string;
  @IsEnum({ a: 'a', b: 'b' }) letter!: string;
}
class Everything extends Named {
  @IsOptional() @IsInt() @Min(0) @Max(9) count?: number;
  @IsOptional() @IsPositive() amount?: number;
  @IsOptional() @IsBoolean() flag?: boolean;
  @IsOptional() @IsIn(['x', 'y', 1]) choice?: unknown;
  @IsOptional() @IsObject() bag?: object;
  @IsOptional() @IsNotEmptyObject() full?: object;
  @IsOptional() @IsNotEmptyObject({ nullable: false }) fuller?: object;
  @IsOptional() @IsArray() @ArrayMaxSize(3) @ArrayUnique() list?: unknown[];
  @IsOptional() @IsString({ each: true }) words?: string[];
  @IsOptional() @ValidateNested() @Type(() => Tag) tag?: Tag;
  @IsOptional() @ValidateNested({ each: true }) @Type(() => Tag) tags?: Tag[];
  @IsOptional() @ValidateNested() untyped?: Tag;
  @IsOptional()
  @ValidateNested({ each: true })
  @Type(() => Circle, {
    keepDiscriminatorProperty: true,
    discriminator: {
      property: 'kind',
      subTypes: [
        { name: 'circle', value: Circle },
        { name: 'square', value: Square },
      ],
    },
  })
  shapes?: (Circle | Square)[];
  @IsOptional() @IsDate() @Type(() => Date) at?: Date;
  @IsOptional() @IsNumber() @Type(() => Number) number?: number;
  @IsOptional() @IsString() @Type(() => String) string?: string;
  @IsOptional() @IsString() @Transform(({ value }) => (value as string).trim()) trimmed?: string;
  @IsOptional() @Expose({ name: 'external' }) @IsString() internal?: string;
  @ValidateIf(({ flag }: Everything) => flag === true) @IsDefined() needed?: unknown;
  @IsOptional() @IsEmail() email?: string;
  @IsOptional() @IsUrl() url?: string;
  @IsOptional() @IsUUID() uuid?: string;
  @IsOptional() @IsDateString() date?: string;
  @IsOptional() @IsNumberString() digits?: string;
  @IsOptional() @Matches(/^[a-z]+$/) pattern?: string;
  @IsOptional() @Contains('a') contains?: string;
  @IsOptional() @Equals(1) one?: number;
  @IsOptional() @IsNotEmpty() some?: unknown;
  @IsEmpty() none?: unknown;
  @IsOptional()
  @ValidateBy({ name: 'short', validator: { validate: (value: string) => value.startsWith('a') } })
  custom?: string;
}

const HOSTILE = [
  'constructor',
  'toString',
  'hasOwnProperty',
  'then',
  'toJSON',
  'length',
  'valueOf',
  'prototype',
];
const KEYS = [...HOSTILE, 'isPrototypeOf', 'name', 'kind', 'radius', 'side', 'weight', 'external', 'x'];

/** Any JSON, with keys that objects and lists inherit. */
function anything(random: Random, depth: number): unknown {
  const leaves = [
    null,
    true,
    false,
    0,
    1,
    -1.5,
    '',
    'a',
    'circle',
    'square',
    'a@b.cd',
    '2020-01-01',
    ...HOSTILE,
  ];
  const kind = depth === 0 ? 0 : random.below(3);
  if (kind === 0) return random.pick(leaves);
  if (kind === 1) return Array.from({ length: random.below(4) }, () => anything(random, depth - 1));
  return Object.fromEntries(
    Array.from({ length: random.below(4) }, () => [random.pick(KEYS), anything(random, depth - 1)]),
  );
}

const PROPERTIES = Object.getOwnPropertyNames(
  Object.fromEntries(
    [
      'name',
      'letter',
      'count',
      'amount',
      'flag',
      'choice',
      'bag',
      'full',
      'fuller',
      'list',
      'words',
      'tag',
      'tags',
      'untyped',
      'shapes',
      'at',
      'number',
      'string',
      'trimmed',
      'external',
      'internal',
      'needed',
      'email',
      'url',
      'uuid',
      'date',
      'digits',
      'pattern',
      'contains',
      'one',
      'some',
      'none',
      'custom',
    ].map((key) => [key, 0]),
  ),
);

function anyBody(random: Random): Record<string, unknown> {
  const body: Record<string, unknown> = random.below(8) > 0 ? { name: 'ann', letter: 'a' } : {};
  for (let i = random.below(6); i > 0; i--) {
    body[random.pick(random.below(3) > 0 ? PROPERTIES : KEYS)] = anything(random, 3);
  }
  return body;
}

/** The details of the refusal; undefined if the body was read. */
function refusal(read: (data: unknown) => unknown, body: unknown): GatewayError | undefined {
  try {
    read(body);
    return undefined;
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'invalid') return error;
    throw error;
  }
}

/**
 * True if class-transformer and class-validator themselves accept it; undefined if they throw something else. A nested
 * property without `@Type` is read as the class that it declares, as ours is.
 */
function libraryTakes(body: unknown): boolean | undefined {
  try {
    const instance = plainToInstance(Everything, JSON.parse(JSON.stringify(body)));
    if (hasObject(instance.untyped)) instance.untyped = plainToInstance(Tag, instance.untyped);
    return validateSync(instance, { whitelist: true, forbidUnknownValues: false }).length === 0;
  } catch {
    return undefined;
  }
}

describe('a body read as a DTO', () => {
  const say = dtoReader(Say);
  const all = dtoReader(Everything);
  const outside = ClassChecks.of(Everything, 'received');
  const body = (more: object): object => ({ name: 'ann', letter: 'a', ...more });

  it('has no unknown property, whatever that is named or holds', () => {
    for (const key of KEYS) {
      expect(say({ text: 'hi', x: { [key]: 1 }, [key]: [{ [key]: null }] })).toEqual({ text: 'hi' });
      expect(all(body({ tags: [{ name: 'a', x: { [key]: 1 } }] }))).toMatchObject({ tags: [{ name: 'a' }] });
    }
  });

  it('never touches what the class does not declare', () => {
    const untouchable = new Proxy({}, { get: fail, ownKeys: fail, getPrototypeOf: fail, has: fail });
    expect(say({ text: 'hi', x: untouchable })).toEqual({ text: 'hi' });
    const tags = [{ name: 'a', x: untouchable }];
    expect(all(body({ tags, x: untouchable }))).toMatchObject({ tags: [{ name: 'a' }] });
  });

  it('keeps every key of a declared object without a class', () => {
    const bag = Object.fromEntries(KEYS.map((key) => [key, { [key]: key }]));
    expect(JSON.stringify((all(body({ bag, full: bag, fuller: bag })) as Everything).bag)).toBe(
      JSON.stringify(bag),
    );
  });

  it('does not share objects with the data', () => {
    const bag = { list: [{}] };
    const read = (all(body({ bag })) as Everything).bag as typeof bag;
    expect(read).toEqual(bag);
    expect(read.list[0]).not.toBe(bag.list[0]);
  });

  it('tells where a value is wrong that can not be converted or transformed', () => {
    const wrong: [string, unknown, string?][] = [
      ['tags', [null]],
      ['tags', [{ name: 'a' }, { constructor: 1 }], 'tags.1.name'],
      ['shapes', [null]],
      ['shapes', [{ kind: 'square', side: { valueOf: 1 } }], 'shapes.0.side'],
      ['at', { toString: 1, valueOf: 1 }],
      ['number', { valueOf: 1, toString: 1 }],
      ['string', { toString: 1 }],
      ['trimmed', 5],
      ['custom', 5],
      ['full', {}],
      ['untyped', { name: 'constructor' }, 'untyped.name'],
    ];
    for (const [key, value, path = key] of wrong) {
      const paths = refusal(all, body({ [key]: value }))?.details?.map((detail) => detail.path ?? '');
      expect([key, value, paths?.some((found) => found.startsWith(path))]).toEqual([key, value, true]);
    }
  });

  it('names a bounded number of what is wrong', () => {
    expect(refusal(all, body({ tags: Array(10_000).fill(null) }))?.details?.length).toBe(20);
  });

  it('is refused as invalid where the libraries or the schema would, whatever JSON it is made of', () => {
    const runs = process.env.CHAOS === 'long' ? 50_000 : 2_000;
    const seed = newSeed();
    const random = new Random(seed);
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const inherited = Object.getOwnPropertyNames(Object.prototype).join();
    const verdicts = { taken: 0, refused: 0, thrown: 0 };
    for (let run = 0; run < runs; run++) {
      const data = anyBody(random);
      const mine = refusal(all, JSON.parse(JSON.stringify(data))) === undefined;
      const theirs = libraryTakes(data);
      verdicts[theirs === undefined ? 'thrown' : theirs ? 'taken' : 'refused']++;
      if (theirs === undefined || isStricter(data)) continue;
      const allowed = theirs && outside(data).length === 0;
      expect([seed, JSON.stringify(data), mine]).toEqual([seed, JSON.stringify(data), allowed]);
    }
    expect(verdicts.taken * verdicts.refused).toBeGreaterThan(0);
    expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(inherited);
    expect(error).not.toHaveBeenCalled();
    error.mockRestore();
  });

  it('counts characters of Unicode, of whatever a text is made', () => {
    const seed = newSeed();
    const random = new Random(seed);
    const pieces = ['a', 'é', '\u{1f600}', '\ud83d', '\ude00', '\ufe0f'];
    for (let play = 0; play < 40; play++) {
      const [min, max] = [random.below(6), random.below(8)];
      class Named {
        @Length(min, max) name!: string;
      }
      const read = dtoReader(Named);
      for (let i = 0; i < 50; i++) {
        const name = Array.from({ length: random.below(10) }, () => random.pick(pieces)).join('');
        const fits = [...name].length >= min && [...name].length <= max;
        let taken = true;
        try {
          read({ name });
        } catch {
          taken = false;
        }
        expect([seed, min, max, name, taken]).toEqual([seed, min, max, name, fits]);
      }
    }
  });

  it('finds equal elements of a long list without comparing each with each', () => {
    class Long {
      @ArrayUnique((value: { id: number }) => value.id) items!: unknown[];
      @ArrayUnique() numbers!: number[];
    }
    const read = dtoReader(Long);
    const numbers = Array.from({ length: 400_000 }, (_, i) => i);
    const items = numbers.map((id) => ({ id }));
    expect((read({ items, numbers }) as Long).items).toHaveLength(400_000);
    for (const data of [
      { items: [...items, { id: 0 }], numbers },
      { items, numbers: [...numbers, 0] },
      { items: {}, numbers },
    ])
      expect(() => read(data)).toThrow(GatewayError);
  });

  it('is refused with invalid where it is no object', () => {
    for (const data of [null, 1, 'text', [], [null], true]) expect(refusal(say, data)).toBeDefined();
    expect(refusal(say, undefined)?.details?.[0]?.path).toBe('text');
  });
});

function fail(): never {
  throw new Error('what the class does not declare was looked at');
}

/**
 * Cases in which the libraries are known to judge differently: they convert objects to text, numbers and dates, lose
 * keys that objects inherit, and take a property that is exposed under another name under its own name too.
 */
function isStricter(data: Record<string, unknown>): boolean {
  const converted = ['at', 'number', 'string'].some((key) => hasObject(data[key]));
  const exposed = 'internal' in data && 'external' in data;
  return converted || exposed || ['full', 'fuller', 'list', 'bag'].some((key) => hasInherited(data[key]));
}

function hasObject(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasObject);
  return typeof value === 'object' && value !== null;
}

function hasInherited(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, field]) => key in Object.prototype || hasInherited(field));
}
