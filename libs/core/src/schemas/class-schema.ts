import type { Type } from '@nestjs/common';
import { ClassShape, type Field } from './class-shape.js';
import { type Discriminator, type FieldSchema, fieldSchema, loose, type ReferTo } from './field-schema.js';
import { inWords, type JsonSchema, valuesSchema } from './json-schema.js';
import { mergeSchemas } from './merge-schemas.js';
import { acceptDefault } from './rules.js';

/**
 * The way that data of a class goes. The server reads what it got under the names of `@Expose` and by `@Transform`,
 * and fills in defaults; it sends instances as they are.
 */
export type Direction = 'received' | 'sent';

/** A field under its name in the data. */
export interface KeyedField extends FieldSchema {
  readonly key: string;
}

/** The fields of a class that its rules name, in the order of their declaration. */
export function classFields(
  { type, direction, discriminator }: ClassReference,
  referTo: ReferTo,
): KeyedField[] {
  const shape = ClassShape.of(type);
  const defaults = direction === 'received' ? defaultsOf(type) : undefined;
  const fields: KeyedField[] = [];
  for (const [key, field] of direction === 'received' ? shape.ruled : shape.sent) {
    const { schema, required } = schemaOfField(shape, field, { direction, referTo });
    const value = field.exposed ? undefined : defaults?.[field.property];
    const rules = shape.rules.get(field.property)!;
    fields.push({ key, schema, required: value === undefined ? required : !acceptDefault(rules, value) });
  }
  return discriminator ? named(fields, discriminator) : fields;
}

function schemaOfField(
  shape: ClassShape,
  field: Field,
  { direction, referTo }: { readonly direction: Direction; readonly referTo: ReferTo },
): FieldSchema {
  const isTransformed = direction === 'received' && field.transforms.length > 0;
  if (isTransformed) return loose('is transformed before its rules are checked');
  return fieldSchema(shape.rules.get(field.property)!, field, referTo);
}

/** @throws Error with the class and the remedy when it can't be made */
function defaultsOf(type: Type<object>): Record<string, unknown> {
  try {
    return new type() as Record<string, unknown>;
  } catch (error) {
    throw new Error(`${type.name} can't be read: its constructor must do without arguments`, {
      cause: error,
    });
  }
}

/** Rules of properties that no data set are told in words: data can't keep them, and the server asks for them. */
function unsetRules({ type, direction }: ClassReference): Pick<JsonSchema, 'description' | '$comment'> {
  if (direction === 'sent') return {};
  const { rules, ruled } = ClassShape.of(type);
  const settable = new Set([...ruled.values()].map(({ property }) => property));
  const unset = [...rules.keys()].filter((property) => !settable.has(property));
  if (unset.length === 0) return {};
  return inWords(`is checked by rules of what no data set: ${unset.map(String).join(', ')}`);
}

/** A class of data that goes one way; with a discriminator, the data that it names. */
export interface ClassReference {
  readonly type: Type<object>;
  readonly direction: Direction;
  readonly discriminator?: Discriminator | undefined;
}

/** The schema of a class; fields of a class without rules are unknown. */
export function classSchema(
  { type, direction, discriminator }: ClassReference,
  referTo: ReferTo,
): JsonSchema {
  if (!discriminator && ClassShape.of(type).rules.size === 0) return { type: 'object' };
  const reference = { type, direction, discriminator };
  return { ...objectSchema(classFields(reference, referTo)), ...unsetRules(reference) };
}

/** The discriminator comes first, so that data of another class is told apart at once. */
function named(fields: readonly KeyedField[], { property, name }: Discriminator): KeyedField[] {
  const own = fields.find(({ key }) => key === property)?.schema ?? {};
  const discriminator = { key: property, schema: mergeSchemas(own, valuesSchema([name])), required: true };
  return [discriminator, ...fields.filter(({ key }) => key !== property)];
}

function objectSchema(fields: readonly KeyedField[]): JsonSchema {
  const required = fields.filter((field) => field.required).map(({ key }) => key);
  const properties = Object.fromEntries(fields.map(({ key, schema }) => [key, schema]));
  return { type: 'object', properties, ...(required.length > 0 && { required }) };
}
