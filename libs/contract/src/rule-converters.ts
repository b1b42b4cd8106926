import {
  getMetadataStorage,
  IS_ENUM,
  IS_INT,
  IS_NUMBER_STRING,
  MATCHES,
  ValidationTypes,
} from 'class-validator';
import {
  CONTAINS,
  IS_DATE_STRING,
  IS_DIVISIBLE_BY,
  IS_IN,
  IS_NEGATIVE,
  IS_NOT_EMPTY,
  IS_POSITIVE,
  IS_URL,
  MAX,
  MIN,
  NOT_CONTAINS,
} from 'class-validator';
import { defaultMetadataStorage } from 'class-transformer/cjs/storage.js';
import type { ValidationMetadata } from 'class-validator/types/metadata/ValidationMetadata.js';
import type { JsonSchema } from './json-schema.js';

/** A reference to the schema of a class. */
export type ReferTo = (type: object) => JsonSchema;

type Converter = (meta: ValidationMetadata) => JsonSchema | undefined;

/**
 * Converters of rules that the library's own ones get wrong or can't know: references to nested classes by our names,
 * bounds that must not turn an integer into a number, enums that are not strings, patterns with flags.
 */
export function ruleConverters(referTo: ReferTo): Record<string, Converter> {
  const nested: Converter = (meta) => typeSchema(nestedTypeOf(meta), referTo);
  return {
    [ValidationTypes.NESTED_VALIDATION]: nested,
    [ValidationTypes.CUSTOM_VALIDATION]: nested,
    [IS_ENUM]: ({ constraints }) => valuesSchema(Object.values(constraints[0] as object)),
    [IS_IN]: ({ constraints }) => valuesSchema(constraints[0] as unknown[]),
    [MIN]: (meta) => numberRule(meta, { minimum: meta.constraints[0] as number }),
    [MAX]: (meta) => numberRule(meta, { maximum: meta.constraints[0] as number }),
    [IS_POSITIVE]: (meta) => numberRule(meta, { exclusiveMinimum: 0 }),
    [IS_NEGATIVE]: (meta) => numberRule(meta, { exclusiveMaximum: 0 }),
    [IS_DIVISIBLE_BY]: (meta) => numberRule(meta, { multipleOf: meta.constraints[0] as number }),
    [IS_NOT_EMPTY]: (meta) => (nestedTypeOf(meta) === String ? { type: 'string', minLength: 1 } : {}),
    [IS_URL]: () => ({ type: 'string', format: 'uri' }),
    [IS_DATE_STRING]: () => ({ type: 'string', anyOf: [{ format: 'date' }, { format: 'date-time' }] }),
    [IS_NUMBER_STRING]: () => ({ type: 'string', pattern: '^[+-]?([0-9]*\\.)?[0-9]+$' }),
    [CONTAINS]: ({ constraints }) => ({ type: 'string', pattern: escaped(constraints[0] as string) }),
    [NOT_CONTAINS]: ({ constraints }) => ({
      type: 'string',
      not: { pattern: escaped(constraints[0] as string) },
    }),
    [MATCHES]: ({ constraints }) => patternSchema(constraints as [RegExp | string, string?]),
  };
}

/** Class of a nested value, by `@Type` or by the property's own type. */
function nestedTypeOf({ target, propertyName }: ValidationMetadata): unknown {
  const typed = defaultMetadataStorage.findTypeMetadata(target, propertyName);
  if (typed) return typed.typeFunction();
  if (typeof target !== 'function') return undefined;
  return Reflect.getMetadata('design:type', target.prototype as object, propertyName);
}

function typeSchema(type: unknown, referTo: ReferTo): JsonSchema | undefined {
  if (type === String) return { type: 'string' };
  if (type === Number) return { type: 'number' };
  if (type === Boolean) return { type: 'boolean' };
  if (type === Array) return { type: 'array' };
  if (typeof type !== 'function' || type === Object) return {};
  return referTo(type);
}

function valuesSchema(values: readonly unknown[]): JsonSchema {
  const types = [...new Set(values.map((value) => (value === null ? 'null' : typeof value)))];
  return { type: types.length === 1 ? types[0] : types, enum: values };
}

/** An integer stays one, in whichever order its decorators stand. */
function numberRule(meta: ValidationMetadata, rule: JsonSchema): JsonSchema {
  return { type: isInteger(meta) ? 'integer' : 'number', ...rule };
}

function isInteger({ target, propertyName }: ValidationMetadata): boolean {
  const storage = getMetadataStorage();
  return storage
    .getTargetValidationMetadatas(target as () => void, '', true, false)
    .some((meta) => meta.propertyName === propertyName && meta.name === IS_INT);
}

function patternSchema([pattern, modifiers]: [RegExp | string, string?]): JsonSchema {
  const source = typeof pattern === 'string' ? pattern : pattern.source;
  const flags = (typeof pattern === 'string' ? modifiers : pattern.flags) ?? '';
  if (/[ims]/.test(flags)) return { type: 'string', description: `matches /${source}/${flags}` };
  return { type: 'string', pattern: source };
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
