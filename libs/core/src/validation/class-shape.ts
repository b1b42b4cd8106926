import type { Type } from '@nestjs/common';
import { TransformationType } from 'class-transformer';
import {
  defaultMetadataStorage as decorators,
  type TransformMetadata,
  type TypeMetadata,
} from 'class-transformer/cjs/storage.js';
import { getMetadataStorage } from 'class-validator';

/** Describes how one key of the data becomes a property. */
export interface Field {
  readonly property: string;
  /** The function of `@Type`. */
  readonly type: TypeMetadata | undefined;
  /** The functions of `@Transform`, in the order in which they run. */
  readonly transforms: readonly TransformMetadata[];
  /** True if it is set even if the data has no such key. */
  readonly exposed: boolean;
}

const READING = TransformationType.PLAIN_TO_CLASS;

/** A class as described by its decorators of class-transformer and class-validator, looked up once. */
export class ClassShape {
  private static readonly known = new WeakMap<object, ClassShape>();

  /** Fields with class-validator rules, by their key in the data. */
  readonly ruled = new Map<string, Field>();
  private readonly exposed: ReadonlySet<string>;
  private readonly excluded: ReadonlySet<string>;
  private readonly exposedOnly: boolean;

  private constructor(readonly type: Type<object>) {
    this.exposed = new Set(decorators.getExposedProperties(type, READING));
    this.excluded = new Set(decorators.getExcludedProperties(type, READING));
    this.exposedOnly = decorators.getStrategy(type) === 'excludeAll';
    for (const property of rulesOf(type)) this.addRuled(property);
  }

  static of(type: Type<object>): ClassShape {
    let shape = ClassShape.known.get(type);
    if (!shape) ClassShape.known.set(type, (shape = new ClassShape(type)));
    return shape;
  }

  /** All fields of the data, including those without rules. */
  *fieldsOf(data: object): Generator<readonly [string, Field]> {
    for (const key of Object.keys(data)) {
      const field = this.exposed.has(key) ? undefined : (this.ruled.get(key) ?? this.field(key));
      if (field && !field.exposed) yield [key, field];
    }
    for (const property of this.exposed) {
      const field = this.field(property);
      if (field) yield [this.keyOf(property), field];
    }
  }

  private addRuled(property: string): void {
    const field = this.field(property);
    if (field) this.ruled.set(this.keyOf(property), field);
  }

  private keyOf(property: string): string {
    return decorators.findExposeMetadata(this.type, property)?.options?.name ?? property;
  }

  private field(property: string): Field | undefined {
    const exposed = this.exposed.has(property);
    if (this.exposedOnly && !exposed) return undefined;
    if (this.excluded.has(property) || !isSettable(this.type.prototype as object, property)) return undefined;
    if (decorators.findExposeMetadata(this.type, property)?.options?.groups?.length) return undefined;
    const transforms = decorators.findTransformMetadatas(this.type, property, READING);
    return {
      property,
      type: decorators.findTypeMetadata(this.type, property),
      transforms: transforms.filter(({ options }) => !options?.groups?.length),
      exposed,
    };
  }
}

/** Properties with class-validator rules, own and inherited ones. */
export function rulesOf(type: Type<object>): ReadonlySet<string> {
  const rules = getMetadataStorage().getTargetValidationMetadatas(type, '', false, false);
  return new Set(rules.map(({ propertyName }) => propertyName));
}

/** Methods, getters and what every object inherits (`constructor`, `__proto__`, `toString`) can't be set by data. */
function isSettable(prototype: object, property: string): boolean {
  if (!(property in prototype)) return true;
  return Object.getOwnPropertyDescriptor(prototype, property)?.set !== undefined;
}
