import type { Type } from '@nestjs/common';
import type { JsonSchema } from './json-schema.js';

/** The doc comments of a class, as the plugin of the Nest CLI leaves them in its static method. */
interface ClassComments {
  readonly text?: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** Name of the static method; `libs/nest/plugin` writes it. */
const METHOD = '_WSS_COMMENTS';

/** Adds the doc comments of a class, and of the classes that it extends, to its schema. Without the plugin there are none. */
export function withComments(schema: JsonSchema, type: Type<object>): JsonSchema {
  const comments = lineOf(type).flatMap((one) => ownComments(one) ?? []);
  if (comments.length === 0) return schema;
  const { properties } = schema;
  const commentOf = (name: string): string | undefined =>
    comments.find(({ fields }) => Object.hasOwn(fields, name))?.fields[name];
  const fields = Object.entries(properties ?? {}).map(([name, field]) => [name, described(field, commentOf(name))]);
  const own = described(schema, ownComments(type)?.text);
  return properties ? { ...own, properties: Object.fromEntries(fields) as Record<string, JsonSchema> } : own;
}

/** The class and those that it extends, from itself on. */
function lineOf(type: Type<object>): Type<object>[] {
  const parent = Object.getPrototypeOf(type) as Type<object> | null;
  return parent === null || parent === Function.prototype ? [type] : [type, ...lineOf(parent)];
}

function ownComments(type: Type<object>): ClassComments | undefined {
  if (!Object.hasOwn(type, METHOD)) return undefined;
  return (type as unknown as Record<typeof METHOD, () => ClassComments>)[METHOD]();
}

/** Rules that are told in words stay, below the comment. */
function described(schema: JsonSchema, comment: string | undefined): JsonSchema {
  if (comment === undefined) return schema;
  const { description } = schema;
  return { ...schema, description: description === undefined ? comment : `${comment}\n\n${description}` };
}
