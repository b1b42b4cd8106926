import { IS_OPTIONAL, type ValidationError, ValidationTypes } from 'class-validator';
import type { Type } from '@nestjs/common';
import { isCollection, type Rule } from '../schemas/rules.js';
import { type Constraints, type Interest, isBare, RuleExecutor, type Rules, storage } from './class-rules.js';

/** A property that breaks rules, and its rules or the properties of its value that are broken. */
export type BrokenProperty = Pick<ValidationError, 'property' | 'constraints' | 'children'>;

/** Judges an instance by the rules of its class. */
export type JudgeInstance = (instance: object, interest: Interest) => readonly BrokenProperty[];

type Constraint = Constraints[number];
type Validator = Constraint['instance'];

/** Makes the messages: a rule's own, with its words filled in. It keeps nothing between two. */
const messages = new RuleExecutor({ forbidUnknownValues: false });

/** The rules of one property, in the order in which class-validator asks them. */
export class PropertyRules {
  private readonly optional: boolean;
  private readonly rules: readonly CompiledRule[];
  private readonly nested: Rule | undefined;

  /** @param rules those that {@link obstacleIn} lets pass */
  constructor(
    type: Type<object>,
    private readonly property: string,
    rules: Rules,
  ) {
    const ofType = (wanted: string): Rules => rules.filter(({ type: own }) => own === wanted);
    this.optional = ofType(ValidationTypes.CONDITIONAL_VALIDATION).length > 0;
    this.rules = [
      ...ofType(ValidationTypes.IS_DEFINED),
      ...ofType(ValidationTypes.CUSTOM_VALIDATION),
    ].flatMap((rule) =>
      constraintsOf(rule).map((constraint) => new CompiledRule(type.name, rule, constraint)),
    );
    this.nested = ofType(ValidationTypes.NESTED_VALIDATION).at(-1);
  }

  /** Judges the property of an instance; it returns nothing if no rule is broken. */
  judge(instance: object, judgeNested: JudgeInstance, interest: Interest): BrokenProperty | undefined {
    const { property } = this;
    const value = (instance as Record<string, unknown>)[property];
    if (this.optional && isAbsent(instance, property)) return undefined;
    let constraints: Record<string, string> | undefined;
    for (const rule of this.rules) {
      if (rule.passes(instance, value)) continue;
      const [name, message] = rule.message(instance, value);
      (constraints ??= {})[name] = message;
    }
    const nested = this.nested && brokenWithin(value, property, { rule: this.nested, judgeNested, interest });
    if (!constraints) return nested;
    interest.left -= Object.keys(constraints).length;
    return nested
      ? { ...nested, constraints: Object.assign(constraints, nested.constraints) }
      : { property, constraints };
  }
}

/** One rule with all that class-validator looks up for it. */
class CompiledRule {
  private readonly property: string;
  private readonly constraints: readonly unknown[] | undefined;
  private readonly each: boolean;
  /** The validator that a decorator made for itself; no container has another one. */
  private own?: Validator;

  constructor(
    private readonly targetName: string,
    private readonly rule: Rule,
    private readonly constraint: Constraint,
  ) {
    this.property = rule.propertyName;
    this.constraints = rule.constraints as unknown[] | undefined;
    this.each = rule.each;
  }

  passes(object: object, value: unknown): boolean {
    const { targetName, property, constraints } = this;
    const args = { targetName, property, object, value, constraints } as never;
    const validator = this.own ?? this.validator();
    if (!this.each || !isCollection(value)) return Boolean(validator.validate(value, args));
    const list = Array.isArray(value) ? value : [...value.values()];
    let passes = true;
    // All elements are asked, as the library does; it skips the holes of a list.
    for (let i = 0; i < list.length; i++) if (i in list && !validator.validate(list[i], args)) passes = false;
    return passes;
  }

  message(object: object, value: unknown): [name: string, message: string] {
    return messages.createValidationError(object, value, this.rule, this.constraint);
  }

  /** A validator with a class of its own may come from the application's container, which is asked each time. */
  private validator(): Validator {
    const { instance, target } = this.constraint;
    if (target.name === 'CustomConstraint') this.own = instance;
    return instance;
  }
}

interface NestedRule {
  readonly rule: Rule;
  readonly judgeNested: JudgeInstance;
  readonly interest: Interest;
}

/** Judges what `@ValidateNested()` stands on: an instance, or each element of a collection. */
function brokenWithin(value: unknown, property: string, nested: NestedRule): BrokenProperty | undefined {
  if (value === undefined || isBare(value)) return undefined;
  if (isCollection(value)) return parent(property, brokenElements(value, nested));
  if (value instanceof Object) return parent(property, nested.judgeNested(value, nested.interest));
  const [name, message] = messages.createValidationError(nested.rule.target as object, value, nested.rule);
  return { property, constraints: { [name]: message } };
}

function brokenElements(
  value: readonly unknown[] | Set<unknown> | Map<unknown, unknown>,
  nested: NestedRule,
): readonly BrokenProperty[] {
  const broken: BrokenProperty[] = [];
  const list = value instanceof Set ? [...value] : value;
  const { interest } = nested;
  list.forEach((element: unknown, index: unknown) => {
    if (interest.left <= 0) return;
    const found = brokenWithin(element, String(index), nested);
    if (!found) return;
    broken.push(found);
    if (found.constraints) interest.left--;
  });
  return broken;
}

function parent(property: string, children: readonly BrokenProperty[]): BrokenProperty | undefined {
  return children.length === 0 ? undefined : { property, children: children as ValidationError[] };
}

/** Tells what of a property's rules only class-validator itself can judge; nothing if they can be compiled. */
export function obstacleIn(rules: Rules): string | undefined {
  for (const rule of rules) {
    const obstacle = obstacleOf(rule);
    if (obstacle !== undefined) return obstacle;
  }
  return undefined;
}

const COMPILED = new Set<string>([
  ValidationTypes.CUSTOM_VALIDATION,
  ValidationTypes.NESTED_VALIDATION,
  ValidationTypes.IS_DEFINED,
  ValidationTypes.WHITELIST,
]);

function obstacleOf(rule: Rule): string | undefined {
  if (rule.groups?.length > 0) return 'groups';
  if ((rule as { validateIf?: unknown }).validateIf !== undefined) return 'validateIf';
  if (rule.type === ValidationTypes.CONDITIONAL_VALIDATION) {
    return rule.name === IS_OPTIONAL ? undefined : '@ValidateIf';
  }
  if (!COMPILED.has(rule.type)) return rule.type;
  return constraintsOf(rule).some(({ async }) => async) ? 'an asynchronous rule' : undefined;
}

function constraintsOf({ constraintCls }: Rule): Constraints {
  return constraintCls ? storage().getTargetValidatorConstraints(constraintCls as () => void) : [];
}

function isAbsent(instance: object, property: string): boolean {
  const value = (instance as Record<string, unknown>)[property];
  return value === null || value === undefined;
}
