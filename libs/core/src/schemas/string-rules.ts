import * as rules from 'class-validator';
import { type JsonSchema, NEVER, valuesSchema } from './json-schema.js';
import { mergeSchemas } from './merge-schemas.js';
import { literalPattern, publishedPattern } from './patterns.js';
import { atLeast, atMost, prose, type RuleSchema, type RuleUse } from './rule-schema.js';

const HEX = '[0-9A-Fa-f]';
const NUMBER = '(0|[1-9][0-9]*)';
const SEMVER_PART = '(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)';
const SEMVER_BUILD = '[0-9A-Za-z-]+';

/** Rules of strings, by the name that class-validator gives them. */
export const STRING_RULES: Readonly<Record<string, RuleSchema>> = {
  [rules.IS_STRING]: () => ({ type: 'string' }),
  [rules.IS_LENGTH]: ({ constraints: [min, max] }) =>
    mergeSchemas(atLeast('string', 'minLength', min ?? 0), atMost('string', 'maxLength', max ?? Infinity)),
  [rules.MIN_LENGTH]: ({ constraints: [min] }) => atLeast('string', 'minLength', min),
  [rules.MAX_LENGTH]: ({ constraints: [max] }) => atMost('string', 'maxLength', max),
  [rules.MATCHES]: ({ constraints: [pattern, flags] }) =>
    matching(pattern as RegExp | string, flags as string),
  [rules.CONTAINS]: ({ constraints: [text] }) => containing(text as string),
  [rules.NOT_CONTAINS]: ({ constraints: [text] }) => notContaining(text as string),
  [rules.IS_BOOLEAN_STRING]: () => valuesSchema(['true', 'false', '1', '0']),
  [rules.IS_UUID]: uuid,
  [rules.IS_HASH]: hash,
  [rules.IS_NUMBER_STRING]: ({ constraints: [options] }) =>
    unlessSet(options, '^[+-]?([0-9]*\\.)?[0-9]+$', 'a number as text'),
  [rules.IS_DECIMAL]: ({ constraints: [options] }) =>
    unlessSet(options, '^[-+]?([0-9]+(\\.[0-9]+)?|\\.[0-9]+)$', 'a decimal number as text'),
  [rules.IS_ALPHA]: ({ constraints: [locale] }) => latin(locale, '^[A-Za-z]+$', 'letters'),
  [rules.IS_ALPHANUMERIC]: ({ constraints: [locale] }) =>
    latin(locale, '^[0-9A-Za-z]+$', 'letters and digits'),
  ...patterns({
    [rules.IS_ASCII]: '^[\\x00-\\x7F]+$',
    [rules.IS_MULTIBYTE]: '[^\\x00-\\x7F]',
    [rules.IS_HEXADECIMAL]: `^(0[xXhH])?${HEX}+$`,
    [rules.IS_OCTAL]: '^(0[oO])?[0-7]+$',
    [rules.IS_HEX_COLOR]: `^#?(${HEX}{3}|${HEX}{4}|${HEX}{6}|${HEX}{8})$`,
    [rules.IS_MONGO_ID]: `^(0[xXhH]${HEX}{22}|${HEX}{24})$`,
    [rules.IS_MILITARY_TIME]: '^([01][0-9]|2[0-3]):?[0-5][0-9]$',
    [rules.IS_PORT]:
      '^(-0|\\+?(0|[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))$',
    [rules.IS_BASE32]: '^(?=([A-Z2-7=]{8})+$)[A-Z2-7]+=*$',
    [rules.IS_BASE58]: '^[A-HJ-NP-Za-km-z1-9]*$',
    [rules.IS_ETHEREUM_ADDRESS]: `^0[xX]${HEX}{40}$`,
    [rules.IS_FIREBASE_PUSH_ID]: '^[a-zA-Z0-9_-]{20}$',
    [rules.IS_ISRC]: '^[A-Z]{2}[0-9A-Z]{3}[0-9]{7}$',
    [rules.IS_SEM_VER]: `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(-${SEMVER_PART}(\\.${SEMVER_PART})*)?(\\+${SEMVER_BUILD}(\\.${SEMVER_BUILD})*)?$`,
  }),
  ...texts({
    [rules.IS_LATLONG]: 'a latitude and a longitude, separated by a comma',
    [rules.IS_BASE64]: 'Base64',
    [rules.IS_BYTE_LENGTH]: 'has a bounded number of bytes in UTF-8',
    [rules.IS_CREDIT_CARD]: 'the number of a credit card',
    [rules.IS_CURRENCY]: 'an amount of money',
    [rules.IS_EMAIL]: 'an email address',
    [rules.IS_FQDN]: 'the name of a domain',
    [rules.IS_FULL_WIDTH]: 'has a full-width character',
    [rules.IS_HALF_WIDTH]: 'has a half-width character',
    [rules.IS_VARIABLE_WIDTH]: 'has full-width and half-width characters',
    [rules.IS_MAC_ADDRESS]: 'a MAC address',
    [rules.IS_IP]: 'an IP address',
    [rules.IS_ISBN]: 'an ISBN',
    [rules.IS_ISIN]: 'an ISIN',
    [rules.IS_ISO8601]: 'a date by ISO 8601',
    [rules.IS_DATE_STRING]: 'a date by ISO 8601',
    [rules.IS_RFC_3339]: 'an instant by RFC 3339',
    [rules.IS_JSON]: 'JSON',
    [rules.IS_JWT]: 'a JSON Web Token',
    [rules.IS_LOWERCASE]: 'in lower case',
    [rules.IS_UPPERCASE]: 'in upper case',
    [rules.IS_MOBILE_PHONE]: 'the number of a mobile phone',
    [rules.IS_PHONE_NUMBER]: 'a phone number',
    [rules.IS_ISO31661_ALPHA_2]: 'a country, two letters of ISO 3166-1',
    [rules.IS_ISO31661_ALPHA_3]: 'a country, three letters of ISO 3166-1',
    [rules.IS_ISO31661_NUMERIC]: 'a country, three digits of ISO 3166-1',
    [rules.IS_ISO4217_CURRENCY_CODE]: 'a currency of ISO 4217',
    [rules.IS_ISO6391]: 'a language, two letters of ISO 639-1',
    [rules.IS_SURROGATE_PAIR]: 'has a character beyond U+FFFF',
    [rules.IS_URL]: 'a URL',
    [rules.IS_ISSN]: 'an ISSN',
    [rules.IS_BIC]: 'a BIC',
    [rules.IS_BTC_ADDRESS]: 'a Bitcoin address',
    [rules.IS_DATA_URI]: 'a data URI',
    [rules.IS_EAN]: 'an EAN',
    [rules.IS_HSL]: 'a color in HSL',
    [rules.IS_IBAN]: 'an IBAN',
    [rules.IS_IDENTITY_CARD]: 'the number of an identity card',
    [rules.IS_LOCALE]: 'a locale',
    [rules.IS_MAGNET_URI]: 'a magnet URI',
    [rules.IS_MIME_TYPE]: 'a MIME type',
    [rules.IS_PASSPORT_NUMBER]: 'the number of a passport',
    [rules.IS_POSTAL_CODE]: 'a postal code',
    [rules.IS_RGB_COLOR]: 'a color in RGB',
    [rules.IS_STRONG_PASSWORD]: 'a strong password',
    [rules.IS_TIMEZONE]: 'a time zone',
    [rules.IS_TAX_ID]: 'a tax number',
  }),
};

function patterns(table: Readonly<Record<string, string>>): Record<string, RuleSchema> {
  const schemas = Object.entries(table).map(([name, pattern]) => [name, () => ({ type: 'string', pattern })]);
  return Object.fromEntries(schemas) as Record<string, RuleSchema>;
}

/** Rules of strings for which there are no keywords. */
function texts(table: Readonly<Record<string, string>>): Record<string, RuleSchema> {
  const schemas = Object.entries(table).map(([name, text]) => [name, () => prose('string', text)]);
  return Object.fromEntries(schemas) as Record<string, RuleSchema>;
}

function unlessSet(options: unknown, pattern: string, text: string): JsonSchema {
  return options === undefined ? { type: 'string', pattern } : prose('string', text);
}

function latin(locale: unknown, pattern: string, text: string): JsonSchema {
  const isLatin = locale === undefined || locale === 'en-US';
  return isLatin ? { type: 'string', pattern } : prose('string', `${text} of ${String(locale)}`);
}

function matching(pattern: RegExp | string, modifiers: string | undefined): JsonSchema {
  const source = typeof pattern === 'string' ? pattern : pattern.source;
  const flags = (typeof pattern === 'string' ? modifiers : pattern.flags) ?? '';
  const published = publishedPattern(source, flags);
  if (published === undefined) return prose('string', `matches /${source}/${flags}`);
  return { type: 'string', pattern: published };
}

function containing(text: string): JsonSchema {
  const pattern = literalPattern(text);
  return pattern === undefined ? prose('string', 'contains a text') : { type: 'string', pattern };
}

function notContaining(text: string): JsonSchema {
  const pattern = literalPattern(text);
  if (pattern === undefined) return prose('string', 'does not contain a text');
  return { type: 'string', not: { pattern } };
}

const ZEROS = '00000000-0000-0000-0000-000000000000';
const ONES = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** Which versions a rule takes is asked of the rule. */
function uuid({ passes }: RuleUse): JsonSchema {
  const sample = (version: string, variant: string): string =>
    `00000000-0000-${version}000-${variant}000-000000000000`;
  const versions = [...'0123456789abcdef'].filter((version) => passes(sample(version, '8')));
  const variants = passes(sample(versions[0] ?? '0', '7')) ? HEX : '[89ABab]';
  const cased = [...new Set(versions.join('') + versions.join('').toUpperCase())].join('');
  const shape = `${HEX}{8}-${HEX}{4}-[${cased}]${HEX}{3}-${variants}${HEX}{3}-${HEX}{12}`;
  const shapes = [
    ...(versions.length > 0 ? [shape] : []),
    ...(variants !== HEX && passes(ZEROS) ? [ZEROS] : []),
    ...(variants !== HEX && passes(ONES) ? [ONES.replaceAll('f', '[Ff]')] : []),
  ];
  if (shapes.length === 0) return NEVER;
  const pattern = shapes.length === 1 ? `^${shapes[0]!}$` : `^(${shapes.join('|')})$`;
  return { type: 'string', format: 'uuid', pattern };
}

/** How long the hashes of an algorithm are is asked of the rule. */
function hash({ passes }: RuleUse): JsonSchema {
  const length = [8, 32, 40, 48, 64, 96, 128].find((digits) => passes('a'.repeat(digits)));
  return length === undefined ? NEVER : { type: 'string', pattern: `^${HEX}{${length}}$` };
}
