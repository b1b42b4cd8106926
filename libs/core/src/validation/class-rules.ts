import {
  ARRAY_UNIQUE,
  getMetadataStorage,
  IS_LENGTH,
  IS_NOT_EMPTY_OBJECT,
  MATCHES,
  matches,
  MAX_LENGTH,
  MIN_LENGTH,
  type ValidationArguments,
  type ValidationError,
  type ValidatorConstraintInterface,
  type ValidatorOptions,
} from 'class-validator';
import { ValidationExecutor } from 'class-validator/cjs/validation/ValidationExecutor.js';
import { passesNow } from '../schemas/rules.js';
import { PlainObject } from './plain-object.js';

type Storage = ReturnType<typeof getMetadataStorage>;
export type Rules = ReturnType<Storage['getTargetValidationMetadatas']>;
export type Constraints = ReturnType<Storage['getTargetValidatorConstraints']>;

/** How many more broken rules are of interest; when there are none, what follows is not judged. */
export interface Interest {
  left: number;
}

/** All broken rules are of interest. */
export const ALL: Interest = { left: Infinity };

/**
 * Judges an instance by class-validator itself, which looks up each rule for each value: the slow way. `CompiledRules`
 * gives the same answer faster, and leaves to this what it does not know. No rule reaches inherited properties, since
 * data may have fields of the same names. A rule that throws on a value refuses it.
 */
export function brokenRules(instance: object, options: ValidatorOptions, interest = ALL): ValidationError[] {
  const executor = new RuleExecutor(options, interest);
  const errors: ValidationError[] = [];
  executor.execute(instance, '', errors);
  return executor.stripEmptyErrors(errors);
}

/** The library's judge of one value, without asynchronous rules. */
export class RuleExecutor extends ValidationExecutor {
  constructor(
    options: ValidatorOptions,
    private readonly interest = ALL,
  ) {
    super(undefined, options);
    this.metadataStorage = storage();
    this.ignoreAsyncValidations = true;
  }

  /**
   * Plain objects have no class and therefore no rules; class-validator would not take them for objects. Of several
   * nested rules the last one says all: the library judges each element by each of them, which for lists in lists
   * multiplies at each level.
   */
  override nestedValidations(value: unknown, metadatas: Rules, error: ValidationError): void {
    const { interest } = this;
    if (interest.left > 0 && !isBare(value)) super.nestedValidations(value, metadatas.slice(-1), error);
    // All rules of the property have been asked by now.
    interest.left -= Object.keys(error.constraints!).length;
  }
}

/** True for an object that inherits nothing, and therefore has no class. */
export function isBare(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === PlainObject.prototype
  );
}

let guarded: Storage | undefined;

/** Class-validator's rules, with what is kept of its lookups: it would repeat them for each value. */
export function storage(): Storage {
  if (guarded) return guarded;
  const original = getMetadataStorage();
  const rules = remembered((type) =>
    original.getTargetValidationMetadatas(type as () => void, '', false, false),
  );
  const groups = remembered((found) => groupsOf(found as Rules));
  const constraints = remembered((rule) =>
    original.getTargetValidatorConstraints(rule as () => void).map(guardedConstraint),
  );
  guarded = Object.create(original) as Storage;
  guarded.getTargetValidationMetadatas = (type: unknown) => (typeof type === 'function' ? rules(type) : []);
  guarded.groupByPropertyName = groups;
  guarded.getTargetValidatorConstraints = constraints;
  return guarded;
}

function remembered<K extends object, V extends object>(find: (key: K) => V): (key: K) => V {
  const found = new WeakMap<K, V>();
  return (key) => {
    let value = found.get(key);
    if (!value) found.set(key, (value = find(key)));
    return value;
  };
}

function groupsOf(rules: Rules): Record<string, Rules> {
  const groups = Object.create(null) as Record<string, Rules>;
  for (const rule of rules) (groups[rule.propertyName] ??= []).push(rule);
  return groups;
}

type Validate = ValidatorConstraintInterface['validate'];
type OwnRule = (
  value: unknown,
  args: ValidationArguments | undefined,
  library: Validate,
) => ReturnType<Validate>;

/** Rules that mean here what the published schema says, and in a time that grows with the data as they do. */
const OWN_RULES = new Map<string, OwnRule>([
  [
    ARRAY_UNIQUE,
    (value, args, library) => library(Array.isArray(value) ? Distinct.from(value) : value, args),
  ],
  [IS_NOT_EMPTY_OBJECT, isNotEmptyObject],
  [IS_LENGTH, (value, args) => hasLength(value, args?.constraints[0], args?.constraints[1])],
  [MIN_LENGTH, (value, args) => hasLength(value, args?.constraints[0], undefined)],
  [MAX_LENGTH, (value, args) => hasLength(value, 0, args?.constraints[0])],
  [MATCHES, (value, args) => hasMatch(value, args?.constraints ?? [])],
]);

/** The library asks a list for its distinct elements by a search for each, which takes seconds for one long list. */
class Distinct<T> extends Array<T> {
  override filter(): T[] {
    return [...new Set(this)];
  }
}

/** A sticky pattern goes on where it stopped in the text before: the same text would pass once and fail then. */
function hasMatch(value: unknown, [pattern, modifiers]: readonly unknown[]): boolean {
  if (pattern instanceof RegExp) pattern.lastIndex = 0;
  return matches(value as string, pattern as string, modifiers as string);
}

/**
 * Compares the number of characters of Unicode, as JSON Schema does; the library leaves some out. They are counted only
 * where the length of the text does not tell: each has one or two units.
 */
function hasLength(value: unknown, least: unknown, most: unknown): boolean {
  if (typeof value !== 'string') return false;
  const [min, max] = [(least as number | undefined) ?? 0, (most as number | undefined) ?? Infinity];
  const { length } = value;
  if (length / 2 >= min && length <= max) return true;
  if (length < min || length / 2 > max) return false;
  const count = characters(value);
  return count >= min && count <= max;
}

function characters(text: string): number {
  let pairs = 0;
  for (let i = 0; i < text.length; i++) if (text.codePointAt(i)! > 0xffff) pairs++;
  return text.length - pairs;
}

function guardedConstraint(constraint: Constraints[number]): Constraints[number] {
  const own = OWN_RULES.get(constraint.name);
  const guard = remembered((instance: ValidatorConstraintInterface) => guardedRule(instance, own));
  return Object.create(constraint, {
    instance: { get: () => guard(constraint.instance) },
  }) as Constraints[number];
}

function guardedRule(
  rule: ValidatorConstraintInterface,
  own: OwnRule | undefined,
): ValidatorConstraintInterface {
  const library: Validate = rule.validate.bind(rule);
  const safe: Validate = (value, args) => {
    try {
      return passesNow(own ? own(value, args, library) : library(value, args));
    } catch {
      return false;
    }
  };
  return Object.create(rule, { validate: { value: safe } }) as ValidatorConstraintInterface;
}

/** The library's own version calls the value's method `hasOwnProperty`. */
function isNotEmptyObject(value: unknown, args?: ValidationArguments): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { nullable } = (args?.constraints[0] as { nullable?: boolean } | undefined) ?? {};
  const fields = Object.values(value) as unknown[];
  return nullable === false
    ? fields.some((field) => field !== null && field !== undefined)
    : fields.length > 0;
}
