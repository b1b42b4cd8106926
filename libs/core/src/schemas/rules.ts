import { getMetadataStorage, IS_OPTIONAL, ValidationTypes } from 'class-validator';
import type { JsonSchema } from './json-schema.js';
import { prose, type RuleSchema, type RuleUse } from './rule-schema.js';
import { STRING_RULES } from './string-rules.js';
import { VALUE_RULES } from './value-rules.js';

/** A rule of a field, as class-validator keeps it. */
export type Rule = ReturnType<ReturnType<typeof getMetadataStorage>['getTargetValidationMetadatas']>[number];

/** The meaning of every rule of class-validator for JSON. A test compares the names with those of the library. */
export const RULES: Readonly<Record<string, RuleSchema>> = { ...VALUE_RULES, ...STRING_RULES };

/** The rules of a class, its own and inherited ones, in the order of their declaration. */
export function rulesOfClass(type: object): readonly Rule[] {
  return getMetadataStorage().getTargetValidationMetadatas(type as () => void, '', false, false);
}

/** The values that a rule accepts, if values have this type. */
export function schemaOfRule(rule: Rule, type: unknown): JsonSchema {
  const { name, constraints } = rule;
  const schema = name !== undefined && Object.hasOwn(RULES, name) ? RULES[name] : undefined;
  if (hasCondition(rule)) return prose(undefined, `${name ?? 'a rule'} under a condition`);
  if (!schema) return prose(undefined, `is checked by the rule "${name ?? nameOf(rule)}"`);
  return schema({ constraints: constraints ?? [], type, passes: verdictOf(rule) });
}

/** True if the library has no such rule. */
export function isCustom({ name }: Rule): boolean {
  return name === undefined || !Object.hasOwn(RULES, name);
}

export function isNested({ type }: Rule): boolean {
  return type === ValidationTypes.NESTED_VALIDATION;
}

/** True if a rule lets an absent value pass. */
export function passesAbsent(rule: Rule): boolean {
  return isNested(rule) || hasCondition(rule) || verdictOf(rule)(undefined);
}

/** True if all rules of a property accept the value that a new instance has, as far as code does not decide that. */
export function acceptDefault(rules: readonly Rule[], value: unknown): boolean {
  const isOpen = ({ type, name }: Rule): boolean =>
    type === ValidationTypes.CONDITIONAL_VALIDATION && (name !== IS_OPTIONAL || (value ?? null) === null);
  return rules.some(isOpen) || rules.every((rule) => accepts(rule, value));
}

function accepts(rule: Rule, value: unknown): boolean {
  if (hasCondition(rule)) return true;
  if (isNested(rule)) return (value ?? null) === null || elementsOf(value).every(keepsRules);
  if (constraintOf(rule) === undefined) return true;
  const verdict = verdictOf(rule);
  return rule.each && isCollection(value) ? elementsOf(value).every(verdict) : verdict(value);
}

function keepsRules(instance: unknown): boolean {
  if (typeof instance !== 'object' || instance === null) return false;
  const { constructor } = instance;
  const rules = typeof constructor === 'function' ? rulesOfClass(constructor) : [];
  return [...new Set(rules.map(({ propertyName }) => propertyName))].every((property) =>
    acceptDefault(
      rules.filter(({ propertyName }) => propertyName === property),
      (instance as Record<string, unknown>)[property],
    ),
  );
}

/** True for a value whose elements are judged one by one by rules with `each`. */
export function isCollection(
  value: unknown,
): value is readonly unknown[] | Set<unknown> | Map<unknown, unknown> {
  return Array.isArray(value) || value instanceof Set || value instanceof Map;
}

function elementsOf(value: unknown): unknown[] {
  if (value instanceof Map) return [...value.values()];
  return isCollection(value) ? [...value] : [value];
}

function hasCondition(rule: Rule): boolean {
  return (rule as { validateIf?: unknown }).validateIf !== undefined;
}

function constraintOf({ constraintCls }: Rule) {
  return getMetadataStorage().getTargetValidatorConstraints(constraintCls as () => void)[0];
}

function nameOf(rule: Rule): string {
  return constraintOf(rule)?.name ?? 'custom';
}

/** The verdict of a rule's own function on one value. */
function verdictOf(rule: Rule): RuleUse['passes'] {
  const constraint = constraintOf(rule);
  const { propertyName: property, constraints } = rule;
  return (value) => {
    if (constraint === undefined) return true;
    try {
      const args = { value, constraints, property, targetName: '', object: {} };
      return passesNow(constraint.instance.validate(value, args));
    } catch {
      return false;
    }
  };
}

/** The verdict of a rule that nobody waits for: a promise passes, and its failure must not end the process. */
export function passesNow(answer: unknown): boolean {
  if (typeof answer !== 'object' || answer === null) return Boolean(answer);
  const { then } = answer as { then?: unknown };
  if (typeof then === 'function') then.call(answer, undefined, () => undefined);
  return true;
}
