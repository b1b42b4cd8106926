import type { Type } from '@nestjs/common';
import { ALL, brokenRules, type Interest, storage } from './class-rules.js';
import { type BrokenProperty, type JudgeInstance, obstacleIn, PropertyRules } from './property-rules.js';

const NONE: readonly BrokenProperty[] = [];

/** A class that class-validator judges itself, and why. */
export interface UncompiledClass {
  readonly type: Type<object>;
  readonly property: string;
  readonly obstacle: string;
}

/**
 * The rules of a class, looked up once: with the same answers as class-validator gives, in the same order, and with the
 * same calls of validators. A class with a rule whose meaning is not known here is left to the library.
 */
export class CompiledRules {
  private static readonly known = new WeakMap<object, CompiledRules>();
  private static readonly left: UncompiledClass[] = [];

  private readonly properties: readonly PropertyRules[];
  private readonly names: ReadonlySet<string>;
  private readonly compiled: boolean;

  private constructor(type: Type<object>) {
    const grouped = Object.entries(storage().groupByPropertyName(rulesOf(type)));
    const left = grouped.flatMap(([property, rules]) => {
      const obstacle = property === '' ? 'a property without a name' : obstacleIn(rules);
      return obstacle === undefined ? [] : [{ type, property, obstacle }];
    });
    this.compiled = left.length === 0;
    CompiledRules.left.push(...left.slice(0, 1));
    this.names = new Set(grouped.map(([property]) => property));
    this.properties = this.compiled
      ? grouped.map(([property, rules]) => new PropertyRules(type, property, rules))
      : [];
  }

  /** Compiles the rules of a class, once. */
  static of(type: Type<object>): CompiledRules {
    let rules = CompiledRules.known.get(type);
    if (!rules) CompiledRules.known.set(type, (rules = new CompiledRules(type)));
    return rules;
  }

  /** Classes with a rule that is left to the library, each with the first of them. */
  static get uncompiled(): readonly UncompiledClass[] {
    return CompiledRules.left;
  }

  /** @param whitelist takes properties without rules away */
  judge(instance: object, whitelist: boolean, interest: Interest): readonly BrokenProperty[] {
    if (!this.compiled) return brokenRules(instance, { forbidUnknownValues: false, whitelist }, interest);
    if (whitelist) this.strip(instance as Record<string, unknown>);
    const judgeNested = whitelist ? judgeStripped : judgeKept;
    let broken: BrokenProperty[] | undefined;
    for (const property of this.properties) {
      if (interest.left <= 0) break;
      const found = property.judge(instance, judgeNested, interest);
      if (found) (broken ??= []).push(found);
    }
    return broken ?? NONE;
  }

  private strip(instance: Record<string, unknown>): void {
    for (const property of Object.keys(instance)) if (!this.names.has(property)) delete instance[property];
  }
}

/**
 * Lists what an instance breaks of its rules, as class-validator would.
 * @param interest a long list of wrong values is not judged to its end; default: all is
 */
export function judgeInstance(
  instance: object,
  whitelist: boolean,
  interest = ALL,
): readonly BrokenProperty[] {
  const type: unknown = instance.constructor;
  if (typeof type !== 'function') {
    return brokenRules(instance, { forbidUnknownValues: false, whitelist }, interest);
  }
  return CompiledRules.of(type as Type<object>).judge(instance, whitelist, interest);
}

const judgeStripped: JudgeInstance = (instance, interest) => judgeInstance(instance, true, interest);
const judgeKept: JudgeInstance = (instance, interest) => judgeInstance(instance, false, interest);

function rulesOf(type: Type<object>) {
  return storage().getTargetValidationMetadatas(type, '', false, false);
}

/** How many classes that the application uses are judged by class-validator itself, and why; nothing if none is. */
export function uncompiledClasses(): string | undefined {
  const left = CompiledRules.uncompiled;
  if (left.length === 0) return undefined;
  const names = left.map(({ type, property, obstacle }) => `${type.name} (${property}: ${obstacle})`);
  const classes = left.length === 1 ? '1 class is' : `${left.length} classes are`;
  return `${classes} judged by class-validator itself, which takes longer: ${names.join(', ')}`;
}
