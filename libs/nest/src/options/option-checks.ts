/** Finds what is wrong with a value. Each problem names the option, and says what is allowed; none shows the value. */
export type OptionCheck = (value: unknown, name: string) => readonly string[];

/** A check that says what is allowed. */
export function must(be: string, isFit: (value: unknown) => boolean): OptionCheck {
  return (value, name) => (isFit(value) ? [] : [`${name} must be ${be}`]);
}

/** An integer of a range, both ends included. */
export function integer(min: number, max: number): OptionCheck {
  return must(
    `an integer from ${min} to ${max}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
  );
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
    if (!isObject(value)) return [`${name === '' ? 'the options' : name} must be an object with ${known}`];
    return Object.entries(value).flatMap(([key, given]) => {
      if (!Object.hasOwn(checks, key)) return [`${prefix}${key} is not an option; allowed are ${known}`];
      return given === undefined ? [] : checks[key]!(given, `${prefix}${key}`);
    });
  };
}

/** True for a plain object, as literals make it. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
