import type { Type } from '@nestjs/common';
import type { ErrorDetail } from '@wss/protocol';
import { classFields, type Direction } from './class-schema.js';
import { checkFields, compileCheck, type FieldCheck, type Referred } from './compile-check.js';
import type { Discriminator, ReferTo } from './field-schema.js';
import { ValueWalk } from './value-walk.js';

/**
 * Checks data for what the published schema says and class-validator leaves open. Each class is compiled once; a check
 * is one walk over the fields that the class declares.
 */
export class ClassChecks {
  private static readonly all = { received: new ClassChecks('received'), sent: new ClassChecks('sent') };

  private readonly references: Referred[] = [];
  private readonly known = new Map<Type<object>, Map<string | undefined, number>>();

  private constructor(private readonly direction: Direction) {}

  /** Compiles the check of a class and of those that it refers to; it lists what is wrong, nothing if all is right. */
  static of(type: Type<object>, direction: Direction): (data: object) => readonly ErrorDetail[] {
    const checks = ClassChecks.all[direction];
    const { check } = checks.references[checks.reference(type, undefined)]!;
    return (data) => {
      const walk = new ValueWalk(direction);
      check(data, walk);
      return walk.problems;
    };
  }

  private reference(type: Type<object>, discriminator: Discriminator | undefined): number {
    const key = discriminator && JSON.stringify([discriminator.property, discriminator.name]);
    const ofType = this.known.get(type) ?? new Map<string | undefined, number>();
    this.known.set(type, ofType);
    const known = ofType.get(key);
    if (known !== undefined) return known;
    const index = this.references.length;
    ofType.set(key, index);
    let fields: readonly FieldCheck[] = [];
    this.references.push({ discriminator, check: (value, walk) => checkFields(value, fields, walk) });
    // A class may refer to itself, so its fields are compiled when it has its place.
    fields = this.fieldsOf(type, discriminator);
    return index;
  }

  private fieldsOf(type: Type<object>, discriminator: Discriminator | undefined): FieldCheck[] {
    const referTo: ReferTo = (nested, named) => ({
      $ref: String(this.reference(nested as Type<object>, named)),
    });
    const fields = classFields({ type, direction: this.direction, discriminator }, referTo);
    const find = (ref: string): Referred => this.references[Number(ref)]!;
    return fields.map(({ key, required, schema }) => ({
      key,
      required,
      check: compileCheck(schema, find),
    }));
  }
}
