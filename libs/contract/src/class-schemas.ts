import type { Type } from '@nestjs/common';
import { type ClassReference, classSchema, Empty } from '@wss/core';
import { withComments } from './class-comments.js';
import { type JsonSchema, SCHEMA_PREFIX } from './json-schema.js';
import { legal } from './component-names.js';

const OPPOSITE = { received: 'sent', sent: 'received' } as const;

/**
 * JSON Schemas of DTO, event and document classes, made from their class-validator rules: the schemas that the server
 * itself judges data by. A class is named by its own name; if several classes share a name, the first event that uses
 * each is added.
 */
export class ClassSchemas {
  private readonly used = new Map<string, ClassReference & { readonly name: string }>();
  private readonly ids = new Map<object, number>();
  private readonly differing = new Map<Type<object>, boolean>();

  /** The classes that were used, each with its first user. */
  constructor(private readonly names: ReadonlyMap<Type<object>, string> = new Map()) {}

  /** Refers to the schema of a class; what the server receives and what it sends may differ. */
  referTo(type: Type<object>, direction: ClassReference['direction'], discriminator?: ClassReference['discriminator']): JsonSchema {
    const reference = { type, direction, discriminator };
    const key = this.keyOf(reference);
    let found = this.used.get(key);
    if (!found) this.used.set(key, (found = { ...reference, name: this.nameFor(reference) }));
    return { $ref: SCHEMA_PREFIX + found.name };
  }

  /** All classes that were referred to, directly or through others, by name in alphabetical order. */
  all(): Record<string, JsonSchema> {
    const found = new Map<string, JsonSchema>();
    // The map grows during the walk: a schema refers to others.
    for (const reference of this.used.values()) {
      found.set(reference.name, withComments(this.schemaOf(reference), reference.type));
    }
    return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  private keyOf({ type, direction, discriminator }: ClassReference): string {
    const way = this.differs(type) ? direction : '';
    return JSON.stringify([this.idOf(type), way, discriminator?.property, discriminator?.name]);
  }

  private idOf(type: object): number {
    const id = this.ids.get(type) ?? this.ids.size;
    this.ids.set(type, id);
    return id;
  }

  /** True if the server receives other data of a class, or of one that it leads to, than it sends. */
  private differs(type: Type<object>): boolean {
    const known = this.differing.get(type);
    if (known !== undefined) return known;
    const reached = new Set([type]);
    let differs = false;
    // The set grows during the walk.
    for (const each of reached) differs ||= this.differsItself(each, reached);
    this.differing.set(type, differs);
    return differs;
  }

  private differsItself(type: Type<object>, reached: Set<Type<object>>): boolean {
    const shown = (direction: ClassReference['direction']): string =>
      JSON.stringify(
        classSchema({ type, direction }, (other) => {
          reached.add(other as Type<object>);
          return { $ref: String(this.idOf(other)) };
        }),
      );
    return shown('received') !== shown('sent');
  }

  /** Classes that share a name are told apart: names are not part of the contract. */
  private nameFor({ type, direction, discriminator }: ClassReference): string {
    const taken = new Set([...this.used.values()].map(({ name }) => name));
    const name = this.names.get(type) ?? type.name;
    const candidates = [name];
    if (discriminator) candidates.push(`${name}-${legal(discriminator.name)}`);
    if (this.used.has(this.keyOf({ type, direction: OPPOSITE[direction], discriminator }))) {
      candidates.push(`${name}-${direction}`);
    }
    for (let i = 2; i < taken.size + 3; i++) candidates.push(`${name}-${i}`);
    return candidates.find((candidate) => !taken.has(candidate))!;
  }

  private schemaOf(reference: ClassReference): JsonSchema {
    if (reference.type === Empty) return { type: 'object', properties: {} };
    return classSchema(reference, (nested, discriminator) =>
      this.referTo(nested as Type<object>, reference.direction, discriminator),
    );
  }
}
