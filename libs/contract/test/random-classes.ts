import type { Type } from '@nestjs/common';
import { Expose, Type as ReadAs } from 'class-transformer';
import * as rules from 'class-validator';
import type { Random } from '@wss/testing';

enum Level {
  Low = 1,
  High = 2,
}
enum Color {
  Red = 'red',
  Blue = 'blue',
}
enum Mixed {
  None,
  Some = 'some',
}

/** A rule, made for one value or for each. */
export type MakeRule = (options?: rules.ValidationOptions) => PropertyDecorator;

/** Rules that the keywords of JSON Schema say wholly, by the kind of value that they are meant for. */
export const EXACT: Readonly<Record<string, readonly MakeRule[]>> = {
  string: [
    (o) => rules.IsString(o),
    (o) => rules.IsString(o),
    (o) => rules.Length(1, 3, o),
    (o) => rules.MinLength(2, o),
    (o) => rules.MaxLength(2, o),
    (o) => rules.Matches(/^[a-z]+$/i, o),
    (o) => rules.Matches(/^a.*b$/, o),
    (o) => rules.Matches(/^[^<>]*$/, o),
    (o) => rules.Matches('^.+@.+$', '', o),
    (o) => rules.Matches(/^\p{L}$/u, o),
    (o) => rules.Contains('a', o),
    (o) => rules.NotContains('a.b', o),
    (o) => rules.IsUUID(undefined, o),
    (o) => rules.IsUUID('4', o),
    (o) => rules.IsHexadecimal(o),
    (o) => rules.IsMongoId(o),
    (o) => rules.IsHexColor(o),
    (o) => rules.IsNumberString(undefined, o),
    (o) => rules.IsDecimal(undefined, o),
    (o) => rules.IsBooleanString(o),
    (o) => rules.IsPort(o),
    (o) => rules.IsMilitaryTime(o),
    (o) => rules.IsAlpha(undefined, o),
    (o) => rules.IsAlphanumeric('en-US', o),
    (o) => rules.IsAscii(o),
    (o) => rules.IsMultibyte(o),
    (o) => rules.IsHash('crc32', o),
    (o) => rules.IsSemVer(o),
    (o) => rules.IsOctal(o),
    (o) => rules.IsBase32(o),
    (o) => rules.IsBase58(o),
    (o) => rules.IsEthereumAddress(o),
    (o) => rules.IsFirebasePushId(o),
    (o) => rules.IsISRC(o),
  ],
  number: [
    (o) => rules.IsNumber(undefined, o),
    (o) => rules.IsInt(o),
    (o) => rules.IsInt(o),
    (o) => rules.Min(0, o),
    (o) => rules.Min(-1.5, o),
    (o) => rules.Max(3, o),
    (o) => rules.IsPositive(o),
    (o) => rules.IsNegative(o),
    (o) => rules.IsDivisibleBy(3, o),
    (o) => rules.IsDivisibleBy(2.5, o),
  ],
  value: [
    (o) => rules.IsBoolean(o),
    (o) => rules.IsIn(['a', 1, null, true], o),
    (o) => rules.IsIn(['a', 'b'], o),
    (o) => rules.IsNotIn(['a', 1], o),
    (o) => rules.IsNotIn([null, ''], o),
    (o) => rules.Equals('a', o),
    (o) => rules.Equals(0, o),
    (o) => rules.NotEquals(1, o),
    (o) => rules.NotEquals(null, o),
    (o) => rules.IsEmpty(o),
    (o) => rules.IsNotEmpty(o),
    (o) => rules.IsDefined(o),
    (o) => rules.IsEnum(Level, o),
    (o) => rules.IsEnum(Color, o),
    (o) => rules.IsEnum(Mixed, o),
    (o) => rules.IsEnum({ '1': 'one', two: 2 }, o),
    () => rules.Allow(),
  ],
  list: [
    (o) => rules.IsArray(o),
    (o) => rules.ArrayNotEmpty(o),
    (o) => rules.ArrayMinSize(2, o),
    (o) => rules.ArrayMaxSize(2, o),
    (o) => rules.ArrayUnique(o),
    (o) => rules.ArrayContains(['a'], o),
    (o) => rules.ArrayNotContains([1, null], o),
  ],
  object: [
    (o) => rules.IsObject(o),
    (o) => rules.IsNotEmptyObject(undefined, o),
    (o) => rules.IsNotEmptyObject({ nullable: false }, o),
  ],
};

/** Rules of which the schema says a part. */
const LOOSE: readonly MakeRule[] = [
  (o) => rules.IsEmail(undefined, o),
  (o) => rules.IsUrl(undefined, o),
  (o) => rules.IsISO8601(undefined, o),
  (o) => rules.IsDateString(undefined, o),
  (o) => rules.IsNumber({ maxDecimalPlaces: 2 }, o),
  (o) => rules.IsLatitude(o),
  (o) => rules.IsJSON(o),
  (o) => rules.Matches(/^.$/, o),
  (o) => rules.Matches(/^\W{2}$/, o),
  (o) => rules.IsByteLength(1, 3, o),
  (o) => rules.ArrayUnique((value: { name?: unknown }) => value.name, o),
  (o) => rules.IsNumberString({ no_symbols: true }, o),
  (o) => rules.IsLowercase(o),
  (o) => rules.ValidateBy({ name: 'short', validator: { validate: (value) => String(value).length < 4 } }, o),
  () => rules.ValidateIf((object: { a?: unknown }) => object.a === 1),
];

/** A class, and how it was made. */
export interface RandomClass {
  readonly type: Type<object>;
  readonly made: string;
  /** False if a rule is among its own, or those of its fields, of which the schema says only a part. */
  readonly exact: boolean;
}

const NAMES = ['a', 'b', 'c', 'name', 'kind', 'then', 'x-y'];
let classes = 0;

/** Makes classes with random rules. */
export class ClassMaker {
  constructor(
    private readonly random: Random,
    private readonly loose: boolean,
    /** Without Sets and Maps, which JSON does not know. */
    private readonly plainOnly = false,
  ) {}

  make(depth = 2): RandomClass {
    const type = class {} as Type<object>;
    Object.defineProperty(type, 'name', { value: `Made${++classes}` });
    const count = 1 + this.random.below(3);
    const made: string[] = [];
    let exact = true;
    for (const name of this.names(count)) {
      const field = this.field(type, name, depth);
      made.push(`${name}: ${field.made}`);
      exact &&= field.exact;
    }
    return { type, made: `{ ${made.join(', ')} }`, exact };
  }

  private names(count: number): Set<string> {
    return new Set(Array.from({ length: count }, () => this.random.pick(NAMES)));
  }

  private field(type: Type<object>, name: string, depth: number): { made: string; exact: boolean } {
    const apply = (...decorators: readonly PropertyDecorator[]): void => {
      for (const decorate of decorators) decorate(type.prototype as object, name);
    };
    const design = (value: unknown): void =>
      Reflect.defineMetadata('design:type', value, type.prototype as object, name);
    const renamed = this.random.below(12) === 0 && name === 'b';
    if (renamed) apply(Expose({ name: 'renamed' }));
    const found = this.kindOfField(depth, apply, design);
    const optional = this.random.below(4) === 0;
    if (optional) apply(rules.IsOptional());
    return { made: `${found.made}${optional ? '?' : ''}${renamed ? ' as renamed' : ''}`, exact: found.exact };
  }

  private kindOfField(
    depth: number,
    apply: (...decorators: readonly PropertyDecorator[]) => void,
    design: (value: unknown) => void,
  ): { made: string; exact: boolean } {
    const drawn = this.random.below(depth > 0 ? 12 : 6);
    const kind = this.plainOnly && (drawn === 9 || drawn === 10) ? 7 : drawn;
    if (kind < 5) return this.plain(apply, design);
    if (kind === 5) return this.dated(apply, design);
    const nested = this.make(depth - 1);
    const read = ReadAs(() => nested.type);
    const made = nested.made;
    switch (kind) {
      case 6:
        design(this.random.pick([Object, nested.type]));
        apply(rules.ValidateNested(), read);
        return { made, exact: nested.exact };
      case 7:
        design(Array);
        apply(rules.ValidateNested({ each: true }), read);
        if (this.random.below(2) === 0) apply(this.random.pick(EXACT.list!)());
        return { made: `${made}[]`, exact: nested.exact };
      case 8:
        design(Array);
        apply(rules.IsArray({ each: true }), rules.ValidateNested({ each: true }), read);
        return { made: `${made}[][]`, exact: nested.exact };
      case 9:
        design(Map);
        apply(rules.ValidateNested({ each: true }), read);
        return { made: `Map of ${made}`, exact: nested.exact };
      case 10:
        design(Set);
        apply(this.random.pick(EXACT.string!)({ each: true }), ReadAs(() => String));
        return { made: 'Set', exact: true };
      default:
        return this.union(nested, depth, apply, design);
    }
  }

  private union(
    nested: RandomClass,
    depth: number,
    apply: (...decorators: readonly PropertyDecorator[]) => void,
    design: (value: unknown) => void,
  ): { made: string; exact: boolean } {
    const others = Array.from({ length: this.random.below(3) }, () => this.make(depth - 1));
    const all = [nested, ...others];
    const subTypes = all.map(({ type }, i) => ({ name: ['one', 'two', 'three'][i]!, value: type }));
    const each = this.random.below(2) === 0;
    design(each ? Array : Object);
    apply(
      rules.ValidateNested({ each }),
      ReadAs(() => nested.type, {
        keepDiscriminatorProperty: this.random.below(2) === 0,
        discriminator: { property: this.random.pick(['kind', 'what']), subTypes: subTypes as never },
      }),
    );
    const made = `(${all.map((one) => one.made).join(' | ')})${each ? '[]' : ''}`;
    return { made, exact: all.every(({ exact }) => exact) };
  }

  private plain(
    apply: (...decorators: readonly PropertyDecorator[]) => void,
    design: (value: unknown) => void,
  ): { made: string; exact: boolean } {
    const kind = this.random.pick(Object.keys(EXACT));
    const each = this.random.below(4) === 0;
    const made: string[] = [];
    let exact = true;
    design(each ? Array : this.random.pick([Object, String, Number]));
    for (let i = 1 + this.random.below(3); i > 0; i--) {
      const pool = this.random.below(8) === 0 ? EXACT[this.random.pick(Object.keys(EXACT))]! : EXACT[kind]!;
      const loose = this.loose && this.random.below(3) === 0;
      const rule = this.random.pick(loose ? LOOSE : pool);
      apply(rule(each ? { each } : undefined));
      made.push(String(rule).replace(/^.*rules\.|\s+/g, ''));
      exact &&= !loose;
    }
    if (this.random.below(6) === 0) {
      apply(ReadAs(() => ({ number: Number, value: Boolean })[kind] ?? String));
      made.push('Type');
    }
    return { made: `${made.join(' & ')}${each ? ' each' : ''}`, exact };
  }

  private dated(
    apply: (...decorators: readonly PropertyDecorator[]) => void,
    design: (value: unknown) => void,
  ): { made: string; exact: boolean } {
    const each = this.random.below(3) === 0;
    design(each ? Array : Date);
    apply(rules.IsDate({ each }));
    apply(ReadAs(() => Date));
    return { made: `Date${each ? '[]' : ''}`, exact: true };
  }
}
