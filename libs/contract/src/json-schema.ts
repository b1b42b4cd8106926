import type { JsonSchema } from '@wss/core';

export type { JsonSchema };

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
