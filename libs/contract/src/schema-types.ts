import { type JsonSchema, refName } from './json-schema.js';

/**
 * TypeScript for a schema: a type expression. Rules that TypeScript has no types for, such as lengths, are left out.
 */
export function typeOf(schema: JsonSchema, nameOf: (ref: string) => string): string {
  const name = refName(schema);
  if (name !== undefined) return nameOf(name);
  if (allowsNothing(schema)) return 'never';
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return union(schema.enum.map((value) => JSON.stringify(value)));
  const variants = schema.anyOf ?? schema.oneOf;
  if (variants && schema.type === undefined) return union(variants.map((each) => typeOf(each, nameOf)));
  if (schema.type === undefined) return intersection((schema.allOf ?? []).map((each) => typeOf(each, nameOf)));
  const types = typeof schema.type === 'string' ? [schema.type] : schema.type;
  return union(types.map((type) => ofType(type, schema, nameOf)));
}

/** The fields of an object, one a line. */
export function fieldsOf(schema: JsonSchema, nameOf: (ref: string) => string, indent = '  '): string[] {
  const required = new Set(schema.required);
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const mark = required.has(name) ? '' : '?';
    const comment = indent === '' ? [] : commentOf(field, indent);
    return [...comment, `${indent}readonly ${key(name)}${mark}: ${typeOf(field, nameOf)};`];
  });
}

/** The description of a schema as a doc comment, line by line; nothing in it ends the comment. */
export function commentOf({ description }: JsonSchema, indent = ''): string[] {
  if (description === undefined) return [];
  const lines = description.replaceAll('*/', '*\\/').split(/\r\n|[\n\r\u2028\u2029]/);
  if (lines.length === 1) return [`${indent}/** ${lines[0]} */`];
  return [`${indent}/**`, ...lines.map((line) => `${indent} * ${line}`.trimEnd()), `${indent} */`];
}

/** A name as a key of a type. */
export function key(name: string): string {
  if (/^[A-Za-z_$][\w$]*$/.test(name)) return name;
  // A line break in quotes would end the text.
  if (/[^ -~]/.test(name)) return JSON.stringify(name).replace(/[\u2028\u2029]/g, ' ');
  return `'${name.replace(/['\\]/g, '\\$&')}'`;
}

function ofType(type: string, schema: JsonSchema, nameOf: (ref: string) => string): string {
  switch (type) {
    case 'string':
    case 'boolean':
    case 'null':
      return type;
    case 'integer':
    case 'number':
      return 'number';
    case 'array':
      return `readonly ${wrapped(schema.items ? typeOf(schema.items, nameOf) : 'unknown')}[]`;
    case 'object':
      return objectType(schema, nameOf);
    default:
      return 'unknown';
  }
}

function objectType(schema: JsonSchema, nameOf: (ref: string) => string): string {
  const { additionalProperties } = schema;
  if (typeof additionalProperties === 'object') {
    return `{ readonly [key: string]: ${typeOf(additionalProperties, nameOf)} }`;
  }
  if (!schema.properties) return '{ readonly [key: string]: unknown }';
  const fields = fieldsOf(schema, nameOf, '');
  return fields.length === 0 ? '{ readonly [key: string]: never }' : `{ ${fields.join(' ')} }`;
}

function allowsNothing({ not }: JsonSchema): boolean {
  return not !== undefined && Object.keys(not).length === 0;
}

function intersection(types: readonly string[]): string {
  return types.filter((type) => type !== 'unknown').join(' & ') || 'unknown';
}

function union(types: readonly string[]): string {
  return [...new Set(types)].join(' | ') || 'never';
}

function wrapped(type: string): string {
  return /[ |]/.test(type) ? `(${type})` : type;
}
