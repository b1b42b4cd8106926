import type { Type } from '@nestjs/common';
import { TransformationType } from 'class-transformer';
import {
  defaultMetadataStorage as decorators,
  type TransformMetadata,
  type TypeMetadata,
} from 'class-transformer/cjs/storage.js';
import { isNested, type Rule, rulesOfClass } from './rules.js';

/** Describes how one key of the data becomes a property. */
export interface Field {
  readonly property: string;
  /** The function of `@Type`, or the one that the property's own type stands for. */
  readonly type: TypeMetadata | undefined;
  /** The property's own type. */
  readonly design: unknown;
  /** The type that values, or elements, are read as. */
  readonly converts: unknown;
  /** True if that type depends on the data. */
  readonly isDynamic: boolean;
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
  /** The same by property, as instances are sent; also those that data can't set. */
  readonly sent = new Map<string, Field>();
  /** Rules by property. */
  readonly rules = new Map<string, Rule[]>();
  /** Fields with rules that data may set, by property. */
  private readonly settable = new Map<string, Field>();
  private readonly exposed: ReadonlySet<string>;
  private readonly excluded: ReadonlySet<string>;
  private readonly exposedOnly: boolean;

  private constructor(readonly type: Type<object>) {
    // The decorators' library asks the prototype for its class; that of PlainObject has none.
    const hasDecorators = (type.prototype as object).constructor !== undefined;
    this.exposed = new Set(hasDecorators ? decorators.getExposedProperties(type, READING) : []);
    this.excluded = new Set(hasDecorators ? decorators.getExcludedProperties(type, READING) : []);
    this.exposedOnly = decorators.getStrategy(type) === 'excludeAll';
    for (const rule of rulesOfClass(type)) {
      const rules = this.rules.get(rule.propertyName);
      if (rules) rules.push(rule);
      else this.rules.set(rule.propertyName, [rule]);
    }
    for (const property of this.rules.keys()) this.addRuled(property);
  }

  static of(type: Type<object>): ClassShape {
    let shape = ClassShape.known.get(type);
    if (!shape) ClassShape.known.set(type, (shape = new ClassShape(type)));
    return shape;
  }

  /** All fields of an instance that was stored, including those without rules, by property. */
  *fieldsOf(data: object): Generator<readonly [string, Field]> {
    for (const key of Object.keys(data)) {
      const field = this.exposed.has(key) ? undefined : (this.settable.get(key) ?? this.field(key));
      if (field) yield [key, field];
    }
    for (const property of this.exposed) {
      const field = this.settable.get(property) ?? this.field(property);
      if (field) yield [property, field];
    }
  }

  private addRuled(property: string): void {
    if (!isSettable(this.type.prototype as object, property)) return;
    this.sent.set(property, this.described(property));
    const field = this.field(property);
    if (!field) return;
    this.ruled.set(this.keyOf(property), field);
    this.settable.set(property, field);
  }

  private keyOf(property: string): string {
    return decorators.findExposeMetadata(this.type, property)?.options?.name ?? property;
  }

  private field(property: string): Field | undefined {
    if (this.exposedOnly && !this.exposed.has(property)) return undefined;
    if (this.excluded.has(property) || !isSettable(this.type.prototype as object, property)) return undefined;
    if (decorators.findExposeMetadata(this.type, property)?.options?.groups?.length) return undefined;
    return this.described(property);
  }

  private described(property: string): Field {
    const rules = this.rules.get(property);
    const transforms = decorators.findTransformMetadatas(this.type, property, READING);
    const design: unknown = rules
      ? Reflect.getMetadata('design:type', this.type.prototype as object, property)
      : undefined;
    const type = decorators.findTypeMetadata(this.type, property) ?? ownType(design, rules ?? []);
    return {
      property,
      type,
      design,
      ...convertedBy(type),
      transforms: transforms.filter(({ options }) => !options?.groups?.length),
      exposed: this.exposed.has(property),
    };
  }
}

/** Properties with class-validator rules, own and inherited ones. */
export function rulesOf(type: Type<object>): ReadonlySet<string> {
  return new Set(rulesOfClass(type).map(({ propertyName }) => propertyName));
}

const NO_CLASSES = new Set<unknown>([
  ...[Object, Array, Promise, Function, String, Number, Boolean, Symbol],
  ...[Date, Set, Map, WeakSet, WeakMap, BigInt, RegExp, Error, Buffer],
]);

/** A nested property that is a class by its own type needs no `@Type`. */
function ownType(design: unknown, rules: readonly Rule[]): TypeMetadata | undefined {
  const isClass = typeof design === 'function' && !NO_CLASSES.has(design);
  return isClass && rules.some(isNested) ? typed(design, design) : undefined;
}

function typed(reflectedType: unknown, type: unknown): TypeMetadata {
  return { reflectedType, typeFunction: () => type };
}

function convertedBy(type: TypeMetadata | undefined): Pick<Field, 'converts' | 'isDynamic'> {
  try {
    return { converts: type?.typeFunction(), isDynamic: false };
  } catch {
    return { converts: undefined, isDynamic: true };
  }
}

/** Methods, getters and what every object inherits (`constructor`, `__proto__`, `toString`) can't be set by data. */
function isSettable(prototype: object, property: string | symbol): boolean {
  if (typeof property === 'symbol') return false;
  if (!(property in prototype)) return true;
  return Object.getOwnPropertyDescriptor(prototype, property)?.set !== undefined;
}
