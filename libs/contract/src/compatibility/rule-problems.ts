import type { Difference, SubsetProblem } from './difference.js';
import { type Form, rulesOf, same, toldRulesOf } from './schema-forms.js';
import { isMultiple } from './schema-values.js';

/** Rules about size, by type: what is at least, what is at most. */
const SIZES: Readonly<Record<string, readonly [least: string, most: string]>> = {
  string: ['minLength', 'maxLength'],
  array: ['minItems', 'maxItems'],
  object: ['minProperties', 'maxProperties'],
};

/** Rules of a single value: sizes, bounds, patterns. Fields and items are not looked into. */
export function ruleProblems(smaller: Form, larger: Form, [difference, field]: [Difference, string]): SubsetProblem[] {
  const type = smaller.type!;
  const missed = type === 'number' || type === 'integer' ? numberRules(smaller, larger) : sizes(smaller, larger);
  return [...missed, ...opaqueRules(smaller, larger), ...toldRules(smaller, larger)].map(([rule, own, asked]) =>
    difference.of(field, rule, [own, asked]),
  );
}

type Missed = readonly [rule: string, own: unknown, asked: unknown];

function sizes(smaller: Form, larger: Form): Missed[] {
  const [least, most] = SIZES[smaller.type!] ?? ['', ''];
  const [low, high] = [larger[least], larger[most]] as (number | undefined)[];
  const [own, ownMost] = [smaller[least] ?? impliedLeast(smaller), smaller[most] ?? impliedMost(smaller)];
  const missed: Missed[] = [];
  if (low !== undefined && low > ((own as number | undefined) ?? 0)) missed.push([least, smaller[least], low]);
  if (high !== undefined && high < ((ownMost as number | undefined) ?? Infinity))
    missed.push([most, smaller[most], high]);
  return missed;
}

function impliedLeast({ type, required = [] }: Form): number | undefined {
  return type === 'object' ? required.length : undefined;
}

function impliedMost({ type, properties, additionalProperties }: Form): number | undefined {
  const isKnown = type === 'object' && properties !== undefined && !additionalProperties;
  return isKnown ? Object.keys(properties).length : undefined;
}

function numberRules(smaller: Form, larger: Form): Missed[] {
  const missed: Missed[] = [];
  for (const [rule, exclusive, sign] of [
    ['minimum', 'exclusiveMinimum', 1],
    ['maximum', 'exclusiveMaximum', -1],
  ] as const) {
    const own = bound(smaller, [rule, exclusive], sign);
    for (const [keyword, strict] of [
      [rule, false],
      [exclusive, true],
    ] as const) {
      const asked = larger[keyword] as number | undefined;
      if (asked === undefined) continue;
      const ahead = own === undefined ? -Infinity : (own.value - asked) * sign;
      if (ahead > 0 || (ahead === 0 && (!strict || own!.strict))) continue;
      missed.push([keyword, smaller[keyword] ?? own?.value, asked]);
    }
  }
  return missed;
}

/** The tighter of two bounds; an integer's is a number that it may have. */
function bound(
  { type, ...form }: Form,
  [rule, exclusive]: readonly [string, string],
  sign: 1 | -1,
): { readonly value: number; readonly strict: boolean } | undefined {
  const [inclusive, strict] = [form[rule], form[exclusive]] as (number | undefined)[];
  const isStrict = strict !== undefined && (inclusive === undefined || (strict - inclusive) * sign >= 0);
  const value = isStrict ? strict : inclusive;
  if (value === undefined) return undefined;
  if (type !== 'integer') return { value, strict: isStrict };
  const whole = Math.ceil(value * sign);
  return { value: (isStrict && whole === value * sign ? whole + 1 : whole) * sign, strict: false };
}

function opaqueRules(smaller: Form, larger: Form): Missed[] {
  const missed = (rule: string, isKept: (asked: unknown, own: readonly unknown[]) => boolean): Missed[] => {
    const own = rulesOf(smaller, rule);
    const lost = rulesOf(larger, rule).filter((asked) => !isKept(asked, own));
    return lost.map((asked) => [rule, own.length === 0 ? undefined : JSON.stringify(own[0]), JSON.stringify(asked)]);
  };
  const isAmong = (asked: unknown, own: readonly unknown[]): boolean => own.some((one) => same(one, asked));
  switch (smaller.type) {
    case 'string':
      return ['pattern', 'format'].flatMap((rule) => missed(rule, isAmong));
    case 'array':
      return [
        ...missed('uniqueItems', (asked, own) => asked !== true || own.includes(true) || isSingle(smaller)),
        ...missed('contains', isAmong),
      ];
    case 'number':
    case 'integer': {
      const whole = smaller.type === 'integer' ? [1] : [];
      return missed('multipleOf', (asked, own) =>
        [...own, ...whole].some((step) => isMultiple(step as number, asked as number)),
      );
    }
    default:
      return [];
  }
}

/** Only the names of such rules are known, so one that the smaller side has not is missed. */
function toldRules(smaller: Form, larger: Form): Missed[] {
  const own = toldRulesOf(smaller);
  const missed = toldRulesOf(larger).filter((rule) => !own.includes(rule));
  return missed.map((rule) => ['rule', own.length === 0 ? undefined : own.join('; '), rule]);
}

function isSingle({ maxItems = Infinity }: Form): boolean {
  return (maxItems as number) <= 1;
}
