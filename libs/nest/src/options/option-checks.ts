import { didYouMean } from '@wss/core';

/** A fault of an option. */
export interface WssOptionProblem {
  /** The option's name, e.g. `session.ttlMs`. */
  readonly option: string;
  /** Text that follows the name, e.g. `must be …`: what is allowed, never the value. */
  readonly problem: string;
}

/** Finds what is wrong with a value. */
export type OptionCheck = (value: unknown, option: string) => readonly WssOptionProblem[];

/** A check that says what is allowed. */
export function must(be: string, isFit: (value: unknown) => boolean): OptionCheck {
  return (value, option) => (isFit(value) ? [] : [{ option, problem: `must be ${be}` }]);
}

/** An integer of a range, both ends included. */
export function integer(min: number, max: number): OptionCheck {
  return must(
    `an integer from ${min} to ${max}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
  );
}

/** Allows `false` besides. */
export function orFalse(check: OptionCheck): OptionCheck {
  return (value, option) => {
    if (value === false) return [];
    return check(value, option).map((found) => ({ ...found, problem: `${found.problem}, or false` }));
  };
}

/** A text that a pattern describes. */
export function text(be: string, pattern: RegExp): OptionCheck {
  return must(be, (value) => typeof value === 'string' && pattern.test(value));
}

/** An object that has no other options than these; those that are absent or undefined are not checked. */
export function options(checks: Readonly<Record<string, OptionCheck>>): OptionCheck {
  const known = Object.keys(checks).join(', ');
  return (value, name) => {
    const prefix = name === '' ? '' : `${name}.`;
    if (!isObject(value))
      return [{ option: name || 'the options', problem: `must be an object with ${known}` }];
    return Object.entries(value).flatMap(([key, given]) => {
      const option = `${prefix}${key}`;
      if (!Object.hasOwn(checks, key)) {
        const near = didYouMean(key, Object.keys(checks));
        return [{ option, problem: `is not an option; allowed are ${known}${near}` }];
      }
      return given === undefined ? [] : checks[key]!(given, option);
    });
  };
}

/** True for a plain object, as literals make it. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
