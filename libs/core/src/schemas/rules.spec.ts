import { describe, expect, it } from '@jest/globals';
import * as library from 'class-validator';
import type { JsonSchema } from './json-schema.js';
import { RULES, rulesOfClass, schemaOfRule } from './rules.js';

/** Exports of class-validator that are no rules of a value: conditions, nesting, makers of rules, its machinery. */
const OTHERS = new Set([
  ...['Allow', 'IsOptional', 'ValidateIf', 'ValidateNested', 'ValidatePromise'],
  ...['Validate', 'ValidateBy', 'ValidatorConstraint'],
  ...['ValidationError', 'ValidationTypes', 'Validator', 'MetadataStorage'],
]);

/** Settings of the rules that need some. */
const SETTINGS: Readonly<Record<string, readonly unknown[]>> = {
  ArrayContains: [['a']],
  ArrayMaxSize: [3],
  ArrayMinSize: [1],
  ArrayNotContains: [['a']],
  Contains: ['a'],
  Equals: ['a'],
  IsByteLength: [1, 3],
  IsDivisibleBy: [2],
  IsEnum: [{ A: 'a' }],
  IsHash: ['md5'],
  IsIn: [['a']],
  IsInstance: [Date],
  IsNotIn: [['a']],
  IsTaxId: ['de-DE'],
  Length: [1, 3],
  Matches: [/^a$/],
  Max: [3],
  MaxDate: [new Date(0)],
  MaxLength: [3],
  Min: [1],
  MinDate: [new Date(0)],
  MinLength: [1],
  NotContains: ['a'],
  NotEquals: ['a'],
};

/** Rules that no keywords of JSON Schema say wholly, whatever their settings; PROTOCOL.md explains what that means. */
const IN_WORDS = [
  ...[
    'IsBIC',
    'IsBase64',
    'IsBtcAddress',
    'IsByteLength',
    'IsCreditCard',
    'IsCurrency',
    'IsDataURI',
    'IsDateString',
  ],
  ...[
    'IsEAN',
    'IsEmail',
    'IsFQDN',
    'IsFullWidth',
    'IsHSL',
    'IsHalfWidth',
    'IsIBAN',
    'IsIP',
    'IsISBN',
    'IsISIN',
  ],
  ...[
    'IsISO31661Alpha2',
    'IsISO31661Alpha3',
    'IsISO31661Numeric',
    'IsISO4217CurrencyCode',
    'IsISO6391',
    'IsISO8601',
  ],
  ...[
    'IsISSN',
    'IsIdentityCard',
    'IsInstance',
    'IsJSON',
    'IsJWT',
    'IsLatLong',
    'IsLatitude',
    'IsLocale',
    'IsLongitude',
  ],
  ...[
    'IsLowercase',
    'IsMACAddress',
    'IsMagnetURI',
    'IsMimeType',
    'IsMobilePhone',
    'IsPassportNumber',
    'IsPhoneNumber',
  ],
  ...[
    'IsPostalCode',
    'IsRFC3339',
    'IsRgbColor',
    'IsStrongPassword',
    'IsSurrogatePair',
    'IsTaxId',
    'IsTimeZone',
  ],
  ...['IsUppercase', 'IsUrl', 'IsVariableWidth', 'MaxDate', 'MinDate'],
];

type MakeDecorator = (...settings: readonly unknown[]) => PropertyDecorator;

function decorators(): string[] {
  return Object.entries(library as Record<string, unknown>)
    .filter(([name, value]) => typeof value === 'function' && /^[A-Z]/.test(name) && !OTHERS.has(name))
    .map(([name]) => name)
    .sort();
}

function schemaOf(decorator: string): JsonSchema {
  class Probe {}
  const make = (library as unknown as Record<string, MakeDecorator>)[decorator]!;
  make(...(SETTINGS[decorator] ?? []))(Probe.prototype, 'value');
  return schemaOfRule(rulesOfClass(Probe)[0]!, decorator.endsWith('Date') ? Date : undefined);
}

describe('the meaning of rules', () => {
  it('is known for every rule of the library, and for no other', () => {
    const names = Object.entries(library as Record<string, unknown>)
      .filter(([name, value]) => typeof value === 'string' && name !== 'IS_OPTIONAL')
      .map(([, value]) => value as string);
    expect(Object.keys(RULES).sort()).toEqual(names.sort());
    for (const decorator of decorators()) {
      expect([decorator, schemaOf(decorator).description ?? '']).toEqual([
        decorator,
        expect.not.stringContaining('is checked by the rule'),
      ]);
    }
  });

  it('is told in words for a closed list of them', () => {
    const inWords = decorators().filter((decorator) => schemaOf(decorator).description !== undefined);
    expect(inWords).toEqual([...IN_WORDS].sort());
  });

  it.each([
    [/^[a-z]+$/, '^[a-z]+$'],
    [/^[a-z_]+$/i, '^[A-Za-z_]+$'],
    [/^x\d+$/i, '^[Xx]\\d+$'],
    [/^.*$/, '^.*$'],
    [/^.+@.+$/, '^.+@.+$'],
    [/^[^<]*$/, '^[^<]*$'],
    [/a|b/g, 'a|b'],
    [/^.$/u, '^.$'],
    [/^.$/, undefined],
    [/^.{1,5}$/, undefined],
    [/^.+.+$/, undefined],
    [/^(.+){2}$/, undefined],
    [/^\W$/, undefined],
    [/^[^a]$/, undefined],
    [/^é$/i, undefined],
    [/^a$/m, undefined],
    [/^.*$/s, undefined],
    [/a/y, undefined],
    [/^[A-z]$/i, undefined],
    [/^\x41$/i, undefined],
    [/^[0-z]$/i, undefined],
    [/^[^ -z]$/i, undefined],
    [/^[a-z0-9_.-]$/i, '^[A-Za-z0-9_.-]$'],
    [/^[-a]$/i, '^[-Aa]$'],
    [/^(a)\1$/, undefined],
    [new RegExp('^a\\-b$'), undefined],
  ])('of the pattern %s is %s', (pattern, published) => {
    class Probe {}
    library.Matches(pattern)(Probe.prototype, 'value');
    expect(schemaOfRule(rulesOfClass(Probe)[0]!, undefined).pattern).toBe(published);
  });
});
