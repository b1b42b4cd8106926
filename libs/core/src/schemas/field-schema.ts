import { IS_OPTIONAL, ValidationTypes } from 'class-validator';
import type { Field } from './class-shape.js';
import { DATE_SCHEMA } from './date-schema.js';
import { inWords, isNever, type JsonSchema, NEVER, typesOf } from './json-schema.js';
import { mergeAll, mergeSchemas } from './merge-schemas.js';
import { isCustom, isNested, passesAbsent, type Rule, schemaOfRule } from './rules.js';

/** The field by which data has a class, and its value. */
export interface Discriminator {
  readonly property: string;
  readonly name: string;
}

/** Refers to the schema of a class; with a discriminator, to that of the data that it names. */
export type ReferTo = (type: object, discriminator?: Discriminator) => JsonSchema;

/** Presence and schema of a field. */
export interface FieldSchema {
  readonly schema: JsonSchema;
  readonly required: boolean;
}

/** How a field holds its values. */
type Container = 'one' | 'list' | 'set' | 'map';

/** Rules that say something of a Set or Map itself; all others of one value refuse it. */
const OF_COLLECTIONS = new Set(['isDefined', 'isNotEmpty', 'isObject', 'isInstance', 'notEquals', 'isNotIn']);
/** Types without fields that data could fill: JSON has no object that becomes one. */
const COLLECTIONS = new Set<unknown>([Array, Map, Set]);

/** The schema of a field by its rules and the function of its `@Type`. */
export function fieldSchema(rules: readonly Rule[], field: Field, referTo: ReferTo): FieldSchema {
  const conditions = rules.filter(({ type }) => type === ValidationTypes.CONDITIONAL_VALIDATION);
  if (conditions.some(({ name }) => name !== IS_OPTIONAL)) return loose('has rules under a condition');
  const judging = rules.filter((rule) => !NO_VERDICT.has(rule.type));
  const schema = new FieldRules(judging, field, referTo).schema();
  if (conditions.length > 0) return { schema: orNull(schema), required: false };
  return { schema, required: !judging.every(passesAbsent) };
}

const NO_VERDICT = new Set<string>([
  ValidationTypes.CONDITIONAL_VALIDATION,
  ValidationTypes.WHITELIST,
  ValidationTypes.PROMISE_VALIDATION,
]);

/** A field of which the document says only in words what it takes. */
export function loose(description: string): FieldSchema {
  return { schema: inWords(description), required: false };
}

/** The schema, or `null`. */
export function orNull(schema: JsonSchema): JsonSchema {
  if (isNever(schema)) return { type: 'null' };
  const types = typesOf(schema);
  if (!types && !schema.$ref && !schema.anyOf && !schema.allOf) return schema;
  if (types?.includes('null')) return schema;
  const plain = types && !schema.anyOf && !schema.allOf && !schema.not;
  if (!plain) return { anyOf: [...(types ? [schema] : (schema.anyOf ?? [schema])), { type: 'null' }] };
  return { ...schema, type: [...types, 'null'], ...(schema.enum && { enum: [...schema.enum, null] }) };
}

class FieldRules {
  private readonly container: Container;
  private readonly nested: boolean;

  constructor(
    private readonly rules: readonly Rule[],
    private readonly field: Field,
    private readonly referTo: ReferTo,
  ) {
    this.nested = rules.some(isNested);
    this.container = this.containerOf();
  }

  schema(): JsonSchema {
    const own = this.rules.filter((rule) => !rule.each && !isNested(rule));
    if (this.container === 'one') return this.described(mergeSchemas(this.of(own), this.value()));
    const each = this.rules.filter((rule) => rule.each && !isNested(rule));
    const element = this.element(this.of(each));
    if (this.container === 'list') {
      return this.described(
        mergeSchemas(this.of(own, Array), { type: 'array', ...filled({ items: element }) }),
      );
    }
    const refused = own.some(({ name }) => !OF_COLLECTIONS.has(name ?? ''));
    if (refused) return NEVER;
    if (this.container === 'set') return { type: 'array', ...filled({ items: element }) };
    return { type: 'object', ...filled({ additionalProperties: element }) };
  }

  private containerOf(): Container {
    const { design } = this.field;
    const typed = this.nested || this.field.type !== undefined;
    if (typed && isKindOf(design, Map)) return 'map';
    if (typed && isKindOf(design, Set)) return 'set';
    if (typed && isKindOf(design, Array)) return 'list';
    const own = this.rules.filter((rule) => !rule.each && !isNested(rule));
    const isList = typesOf(this.of(own))?.join() === 'array' || this.rules.some(({ each }) => each);
    return isList ? 'list' : 'one';
  }

  private of(rules: readonly Rule[], type: unknown = this.field.converts ?? dateOf(this.field)): JsonSchema {
    return mergeAll(rules.map((rule) => schemaOfRule(rule, type)));
  }

  /** Elements that are lists hold the values that the types speak of. */
  private element(rules: JsonSchema): JsonSchema {
    if (typesOf(rules)?.join() !== 'array') return mergeSchemas(rules, this.value());
    return mergeSchemas(rules, { type: 'array', ...filled({ items: this.value() }) });
  }

  /** The values that `@Type` and `@ValidateNested()` take. */
  private value(): JsonSchema {
    const { type, converts } = this.field;
    if (this.field.isDynamic) return {};
    const known = conversionSchema(converts);
    if (known) return known;
    if (!this.nested) return this.declared();
    const { property, subTypes } = type?.options?.discriminator ?? {};
    if (property !== undefined && subTypes?.length) {
      const anyOf = subTypes.map(({ name, value }) => this.referTo(value as object, { property, name }));
      return anyOf.length === 1 ? anyOf[0]! : { anyOf };
    }
    const hasClass = typeof converts === 'function' && converts !== Object;
    return hasClass ? this.referTo(converts) : { type: 'object' };
  }

  /** A rule of the program may take anything; the property's type tells clients what is meant. */
  private declared(): JsonSchema {
    const isOurs = this.rules.some((rule) => isCustom(rule) && !rule.each);
    if (!isOurs || this.container !== 'one') return {};
    if (this.field.design === Array) return { type: ['array', 'null'] };
    return conversionSchema(this.field.design) ?? {};
  }

  private described(schema: JsonSchema): JsonSchema {
    return this.field.isDynamic
      ? { ...schema, ...inWords('is read by a class that the data chooses') }
      : schema;
  }
}

/** An instance that is sent has a Date without any `@Type`. */
function dateOf({ design }: Field): unknown {
  return design === Date ? Date : undefined;
}

/** The values that `@Type` converts. */
function conversionSchema(type: unknown): JsonSchema | undefined {
  if (type === Date) return { ...DATE_SCHEMA, type: ['string', 'null'] };
  if (type === String || type === Buffer) return { type: ['string', 'null'] };
  if (type === Number) return { type: ['number', 'null'] };
  if (type === Boolean) return { type: ['boolean', 'null'] };
  if (COLLECTIONS.has(type)) return { type: ['array', 'boolean', 'null', 'number', 'string'] };
  return undefined;
}

function isKindOf(type: unknown, kind: new () => object): boolean {
  return typeof type === 'function' && (type === kind || type.prototype instanceof kind);
}

/** A keyword, unless it says nothing. */
function filled(keyword: Record<string, JsonSchema>): Record<string, JsonSchema> {
  return Object.keys(Object.values(keyword)[0]!).length === 0 ? {} : keyword;
}
