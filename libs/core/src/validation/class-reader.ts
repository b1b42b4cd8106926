import type { Type } from '@nestjs/common';
import { TransformationType } from 'class-transformer';
import type { TypeMetadata } from 'class-transformer/cjs/storage.js';
import type { ErrorDetail } from '@wss/protocol';
import { ClassShape, type Field } from '../schemas/class-shape.js';
import { ownField, PlainObject } from './plain-object.js';

type Fields = Record<string, unknown>;

/** The context that a decorator's function gets with its value. */
interface Owner {
  readonly newObject: object;
  readonly object: object;
  readonly property: string;
}

/** Types that a primitive value is converted to. */
const CONVERSIONS = new Map<unknown, (value: never) => unknown>([
  [String, String],
  [Number, Number],
  [Boolean, Boolean],
  [Date, (value: string) => new Date(value)],
  [Buffer, (value: string) => Buffer.from(value)],
]);

/** Types without fields that data could fill. */
const COLLECTIONS = new Set<unknown>([Array, Map, Set]);

/**
 * Turns plain data into instances of classes, as `plainToInstance` of class-transformer does, with three
 * differences: it looks up only own keys of the data, ignores everything that a class does not declare, and keeps the
 * field that tells the class of an object.
 */
export class ClassReader {
  /** Values that can't be converted to their `@Type`. */
  readonly problems: ErrorDetail[] = [];
  private readonly path: (string | number)[] = [];

  /** @param keepsAll keeps fields without rules, and lets objects without a class inherit nothing */
  constructor(private readonly keepsAll: boolean) {}

  /** The present path; after an error, the path of the error. */
  get place(): string {
    return this.path.join('.');
  }

  read<T extends object>(type: Type<T>, data: object): T {
    const shape = ClassShape.of(type);
    const instance = new type();
    for (const [key, field] of this.keepsAll ? shape.fieldsOf(data) : shape.ruled) {
      const isThere = Object.hasOwn(data, key);
      if (isThere || field.exposed) this.set(instance, field, data, isThere ? key : undefined);
    }
    return instance;
  }

  /** Sets a property to the value under a key, or if the key is absent, to the result of its transformations. */
  private set(instance: object, field: Field, data: object, key: string | undefined): void {
    const { property, type, transforms } = field;
    if (typeof (instance as Fields)[property] === 'function') return;
    this.path.push(key ?? property);
    const raw = key === undefined ? undefined : (data as Fields)[key];
    const owner: Owner = { newObject: instance, object: data, property };
    let value = type ? this.typed(type, raw, owner) : this.copy(raw);
    for (const { transformFn } of transforms) {
      value = transformFn({
        value,
        key: property,
        obj: data,
        type: TransformationType.PLAIN_TO_CLASS,
        options: {},
      });
    }
    (instance as Fields)[property] = value;
    this.path.pop();
  }

  private typed(type: TypeMetadata, raw: unknown, owner: Owner): unknown {
    if (Array.isArray(raw)) return collection(type.reflectedType, this.list(type, raw, owner));
    if (type.reflectedType !== Map) return this.single(type, raw, owner);
    if (typeof raw !== 'object' || raw === null) return raw;
    const keys = Object.keys(raw).filter((key) => key !== '__proto__');
    return new Map(keys.map((key) => [key, this.at(key, type, (raw as Fields)[key], owner)]));
  }

  private list(type: TypeMetadata, raw: readonly unknown[], owner: Owner): unknown[] {
    return raw.map((element, index) => this.at(index, type, element, owner));
  }

  private at(key: string | number, type: TypeMetadata, raw: unknown, owner: Owner): unknown {
    this.path.push(key);
    const value = Array.isArray(raw) ? this.list(type, raw, owner) : this.single(type, raw, owner);
    this.path.pop();
    return value;
  }

  private single(metadata: TypeMetadata, raw: unknown, owner: Owner): unknown {
    if (raw === null || raw === undefined) return raw;
    const { discriminator } = metadata.options ?? {};
    const { property, subTypes } = discriminator ?? {};
    const isData = typeof raw === 'object';
    const name = isData && property ? ownField(raw, property) : undefined;
    const subType = name === undefined ? undefined : subTypes?.find((candidate) => candidate.name === name);
    const type = subType ? subType.value : metadata.typeFunction(owner);
    const convert = CONVERSIONS.get(type);
    if (convert) return this.converted(convert, raw, type);
    if (!isData) return raw;
    if (COLLECTIONS.has(type)) return this.problem('must be a list');
    if (typeof type !== 'function' || type === Object) return this.copy(raw);
    return this.read(type as Type<object>, raw);
  }

  private converted(convert: (value: never) => unknown, raw: NonNullable<unknown>, type: unknown): unknown {
    if (typeof raw === 'object') return this.problem('must not be an object');
    if (type === Buffer && typeof raw !== 'string') return this.problem('must be a string');
    return convert(raw as never);
  }

  private problem(message: string): undefined {
    this.problems.push({ path: this.place, message });
  }

  /** A copy of JSON; a key `__proto__` is left out. */
  private copy(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((element) => this.copy(element));
    const copy: Fields = this.keepsAll ? new PlainObject() : {};
    for (const key of Object.keys(value)) {
      if (key !== '__proto__') copy[key] = this.copy((value as Fields)[key]);
    }
    return copy;
  }
}

/** Turns a list into the declared kind of collection. */
function collection(type: unknown, list: unknown[]): unknown {
  if (type === Set) return new Set(list);
  if (typeof type !== 'function' || type === Array || !(type.prototype instanceof Array)) return list;
  const special = new (type as new () => unknown[])();
  special.push(...list);
  return special;
}
