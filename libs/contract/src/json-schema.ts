/** A JSON Schema (draft 07), as far as class-validator rules need it. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly not?: JsonSchema;
  readonly description?: string;
  readonly [keyword: string]: unknown;
}

/** Named schemas. */
export type Schemas = Readonly<Record<string, JsonSchema>>;

/** Where named schemas live in the document. */
export const SCHEMA_PREFIX = '#/components/schemas/';

/** Name that a `$ref` points to. */
export function refName({ $ref }: JsonSchema): string | undefined {
  return $ref?.startsWith(SCHEMA_PREFIX) ? $ref.slice(SCHEMA_PREFIX.length) : undefined;
}

/** The schema that a reference means. @throws Error when it does not exist */
export function resolve(schema: JsonSchema, schemas: Schemas): JsonSchema {
  const name = refName(schema);
  if (name === undefined) return schema;
  const found = Object.hasOwn(schemas, name) ? schemas[name] : undefined;
  if (!found) throw new Error(`the contract has no schema "${name}"`);
  return resolve(found, schemas);
}

/** The schema, or `null`. */
export function nullable(schema: JsonSchema): JsonSchema {
  const { type } = schema;
  if (typeof type !== 'string') return Object.keys(schema).length === 0 ? schema : orNull(schema);
  const values = schema.enum && { enum: [...schema.enum, null] };
  return { ...schema, type: [type, 'null'], ...values };
}

function orNull(schema: JsonSchema): JsonSchema {
  return { anyOf: [schema, { type: 'null' }] };
}
