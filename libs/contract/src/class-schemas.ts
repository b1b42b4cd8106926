import { getMetadataStorage, IS_OPTIONAL, ValidationTypes } from 'class-validator';
import { targetConstructorToSchema } from 'class-validator-jsonschema';
import type { ValidationMetadata } from 'class-validator/types/metadata/ValidationMetadata.js';
import type { Type } from '@nestjs/common';
import { Empty } from '@wss/core';
import { withComments } from './class-comments.js';
import { type JsonSchema, nullable, SCHEMA_PREFIX } from './json-schema.js';
import { ruleConverters } from './rule-converters.js';

/**
 * JSON Schemas of DTO, event and document classes, made from their class-validator rules. A class is named by its own
 * name; if several classes share a name, the first event that uses each is added.
 */
export class ClassSchemas {
  private readonly used = new Map<Type<object>, string>();

  /** The classes that were used, each with its first user. */
  constructor(private readonly names: ReadonlyMap<Type<object>, string> = new Map()) {}

  /** Refers to the schema of a class; primitives are schemas of their own. */
  referTo(type: Type<object>): JsonSchema {
    const name = this.nameOf(type);
    this.used.set(type, name);
    return { $ref: SCHEMA_PREFIX + name };
  }

  /** All classes that were referred to, directly or through others, by name in alphabetical order. */
  all(): Record<string, JsonSchema> {
    const found = new Map<string, JsonSchema>();
    // The map grows during the walk: a schema refers to others.
    for (const [type, name] of this.used) found.set(name, withComments(this.schemaOf(type), type));
    return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Nested classes that share a name are told apart by a number: names are not part of the contract. */
  private nameOf(type: Type<object>): string {
    const known = this.used.get(type);
    if (known !== undefined) return known;
    const taken = new Set(this.used.values());
    const name = this.names.get(type) ?? type.name;
    let free = name;
    for (let i = 2; taken.has(free); i++) free = `${name}-${i}`;
    return free;
  }

  private schemaOf(type: Type<object>): JsonSchema {
    const metas = getMetadataStorage().getTargetValidationMetadatas(type, '', true, false);
    // The fields of a class without rules are unknown; those of Empty are known to be none.
    if (metas.length === 0) return type === Empty ? { type: 'object', properties: {} } : { type: 'object' };
    const converters = ruleConverters((nested) => this.referTo(nested as Type<object>));
    const schema = targetConstructorToSchema(type, {
      additionalConverters: converters as never,
    }) as unknown as JsonSchema;
    const properties: Record<string, JsonSchema> = {};
    const required: string[] = [];
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      const presence = presenceOf(metas.filter((meta) => meta.propertyName === name));
      if (presence === 'required') required.push(name);
      properties[name] = presence === 'optional' ? nullable(property) : property;
      // Rules that hold only under a condition of the program can't be promised.
      if (presence === 'conditional') properties[name] = { description: 'has rules under a condition' };
    }
    return { type: 'object', properties, ...(required.length > 0 && { required }) };
  }
}

type FieldPresence = 'required' | 'optional' | 'conditional' | 'unchecked';

/** Rules that an absent value passes. */
const PASS_ABSENT = new Set<string>([ValidationTypes.WHITELIST, ValidationTypes.NESTED_VALIDATION]);

function presenceOf(metas: readonly ValidationMetadata[]): FieldPresence {
  const conditions = metas.filter(({ type }) => type === ValidationTypes.CONDITIONAL_VALIDATION);
  if (conditions.some(({ name }) => name !== IS_OPTIONAL)) return 'conditional';
  if (conditions.length > 0) return 'optional';
  if (metas.every(({ type }) => type === ValidationTypes.WHITELIST)) return 'unchecked';
  return metas.every(({ type }) => PASS_ABSENT.has(type)) ? 'optional' : 'required';
}
