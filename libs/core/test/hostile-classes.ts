import type { Type } from '@nestjs/common';
import { Exclude, Expose, Transform, Type as ReadAs } from 'class-transformer';
import * as rules from 'class-validator';
import type { Random } from '@wss/testing';

/** Calls of the program's own validators, in order. */
export type CallLog = unknown[];

type Options = rules.ValidationOptions;
type MakeRule = (options?: Options) => PropertyDecorator;

enum Level {
  Low = 1,
  High = 2,
}

const BUILT_IN: readonly MakeRule[] = [
  ...[
    rules.IsString,
    rules.IsInt,
    rules.IsBoolean,
    rules.IsArray,
    rules.IsDefined,
    rules.IsNotEmpty,
    rules.IsDate,
  ],
  ...[
    rules.IsObject,
    rules.IsPositive,
    rules.IsEmpty,
    rules.IsLowercase,
    rules.IsHexadecimal,
    rules.ArrayNotEmpty,
  ],
  (o) => rules.IsNumber({ maxDecimalPlaces: 2 }, o),
  (o) => rules.Length(1, 3, o),
  (o) => rules.MaxLength(2, o),
  (o) => rules.Min(0, o),
  (o) => rules.Max(3, o),
  (o) => rules.IsEnum(Level, o),
  (o) => rules.IsIn(['a', 1, null], o),
  (o) => rules.Equals('a', o),
  (o) => rules.Matches(/^a/gy, o),
  (o) => rules.IsEmail(undefined, o),
  (o) => rules.IsUUID(undefined, o),
  (o) => rules.ArrayMaxSize(2, o),
  (o) => rules.ArrayUnique(o),
  (o) => rules.ArrayUnique((value: { a?: unknown }) => value.a, o),
  (o) => rules.ArrayContains(['a'], o),
  (o) => rules.IsNotEmptyObject({ nullable: false }, o),
  (o) => rules.IsInstance(Date, o),
];

/** Rules that the compiled way leaves to class-validator. */
const LEFT: readonly MakeRule[] = [
  () => rules.ValidateIf((object: { a?: unknown }) => object.a === 1),
  (o) => rules.IsString({ ...o, groups: ['g'] }),
  (o) => rules.IsInt({ ...o, validateIf: (_object, value) => value !== 'a' }),
  () => rules.ValidatePromise(),
];

const NAMES = ['a', 'b', 'c', '0', '7', 'name', 'kind', 'then', 'constructor', 'length', 'x-y'];
const CONVERTED = [String, Number, Boolean, Date, Array, Map, Set];
let made = 0;

/** Makes classes with random rules, of all the kinds that class-validator and class-transformer have. */
export class HostileClasses {
  /** The last class that was made, for messages. */
  story: string[] = [];

  constructor(
    private readonly random: Random,
    /** Draws also from {@link LEFT}. */
    private readonly withLeft: boolean,
    private readonly calls: CallLog,
  ) {}

  make(depth = 2): Type<object> {
    const type = this.base(depth);
    this.story.push(`class ${type.name} extends ${(Object.getPrototypeOf(type) as Type).name || 'nothing'}`);
    for (let i = this.chance(4) ? 0 : 1 + this.random.below(3); i > 0; i--) this.field(type, depth);
    return type;
  }

  private base(depth: number): Type<object> {
    const Parent = depth > 0 && this.chance(6) ? this.make(0) : class {};
    const defaults = this.chance(4);
    const Made = class extends Parent {
      constructor() {
        super();
        // One of these has no rule, and is taken away.
        if (defaults) Object.assign(this, { a: 'a', unruled: 1, b: undefined });
      }
    };
    Object.defineProperty(Made, 'name', { value: `Made${++made}` });
    return Made;
  }

  private field(type: Type<object>, depth: number): void {
    const name = this.random.pick(NAMES);
    const decorators = this.decorators(depth);
    if (this.chance(4)) decorators.push(rules.IsOptional());
    if (this.chance(12)) decorators.push(Expose(this.chance(2) ? { name: 'renamed' } : {}));
    if (this.chance(20)) decorators.push(Exclude());
    if (this.chance(2)) decorators.reverse();
    const design = this.random.pick([Object, Object, Array, Set, Map]);
    Reflect.defineMetadata('design:type', design, type.prototype as object, name);
    for (const decorate of decorators) decorate(type.prototype as object, name);
    this.story.push(`  ${type.name}.${name}: ${decorators.length} decorators`);
  }

  private decorators(depth: number): PropertyDecorator[] {
    const kind = this.random.below(depth > 0 ? 8 : 4);
    if (kind < 4) return this.plain();
    const nested = this.make(depth - 1);
    const each = this.chance(2);
    const own = this.chance(3) ? this.plain() : [];
    const read = this.chance(5) ? this.union(nested, depth) : ReadAs(() => nested);
    return [...own, rules.ValidateNested({ each, ...this.options() }), ...(this.chance(10) ? [] : [read])];
  }

  private union(nested: Type<object>, depth: number): PropertyDecorator {
    const subTypes = [
      { name: 'one', value: nested },
      { name: 'two', value: this.make(depth - 1) },
    ];
    return ReadAs(() => nested, {
      keepDiscriminatorProperty: this.chance(2),
      discriminator: { property: 'kind', subTypes },
    });
  }

  private plain(): PropertyDecorator[] {
    const decorators = Array.from({ length: 1 + this.random.below(3) }, () => this.rule()(this.options()));
    const converted = this.random.pick(CONVERTED);
    if (this.chance(8)) decorators.push(ReadAs(() => converted));
    if (this.chance(20)) {
      decorators.push(ReadAs((options) => ((options!.object as { a?: unknown }).a === 1 ? String : Number)));
    }
    if (this.chance(12)) decorators.push(Transform(({ value }) => (value as string).trim()));
    if (this.chance(12))
      decorators.push(Transform(({ value }) => (Array.isArray(value) ? new Set(value) : value)));
    return decorators;
  }

  private rule(): MakeRule {
    if (this.withLeft && this.chance(6)) return this.random.pick(LEFT);
    return this.chance(5) ? this.custom() : this.random.pick(BUILT_IN);
  }

  private options(): Options | undefined {
    if (this.chance(2)) return undefined;
    const message = this.random.pick([
      undefined,
      '$property of $target must not be $value ($constraint1)',
      ({ value, property, targetName }: rules.ValidationArguments) =>
        `${targetName}.${property}: ${typeof value}`,
    ]);
    return {
      each: this.chance(3),
      ...(message && { message }),
      ...(this.chance(4) && { context: { a: 1 } }),
    };
  }

  /** A rule of the program: its calls and what they are given are observed. */
  private custom(): MakeRule {
    const { calls } = this;
    const name = this.random.pick(['short', 'isString', 'custom']);
    const behavior = this.random.below(this.withLeft ? 6 : 5);
    const isAsync = behavior === 5;
    const validate = (value: unknown, args?: rules.ValidationArguments): boolean | Promise<boolean> => {
      calls.push([name, value, { ...args, object: classOf(args) }]);
      if (behavior === 1) return (value as string).startsWith('a');
      if (behavior === 2) return Promise.reject(new Error('nobody waits for this'));
      if (behavior === 3 && args) args.value = args.property = 'changed';
      return typeof value !== 'string' || value.length < 3;
    };
    if (behavior !== 4 && !isAsync) {
      const validator = {
        validate,
        ...(this.chance(2) && { defaultMessage: () => 'is $value, not $constraint1' }),
      };
      return (o) => rules.ValidateBy({ name, constraints: [1, ['x']], validator }, o);
    }
    class Own implements rules.ValidatorConstraintInterface {
      validate = validate;
    }
    rules.ValidatorConstraint({ name, async: isAsync })(Own);
    return (o) => rules.Validate(Own, [2], o);
  }

  private chance(oneIn: number): boolean {
    return this.random.below(oneIn) === 0;
  }
}

/** Shown with each call, a long list would be shown for each of its elements. */
function classOf({ object }: rules.ValidationArguments = {} as rules.ValidationArguments): unknown {
  return [object.constructor, ...Object.keys(object)];
}
