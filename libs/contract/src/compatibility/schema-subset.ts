import { type JsonSchema, resolve, type Schemas } from '../json-schema.js';
import { Difference, type SubsetOptions, type SubsetProblem } from './difference.js';
import { ruleProblems } from './rule-problems.js';
import { areApart, type Form, formsOf, rulesOf, same, toldRulesOf, valuesOf } from './schema-forms.js';
import { judge } from './schema-values.js';

/** A schema with the named schemas that it refers to. */
export interface Scoped {
  readonly schema: JsonSchema;
  readonly schemas: Schemas;
}

/**
 * Lists why some value that `smaller` allows is not allowed by `larger`; empty if every value is. A value has only fields
 * that its schema names, or those of a map. Rules that can't be compared count as a problem if they differ: two patterns or
 * formats, `not`, a number range that only several members of a union cover together, and a `oneOf` whose members
 * overlap.
 */
export function subsetProblems(smaller: Scoped, larger: Scoped, options: SubsetOptions): SubsetProblem[] {
  const check = new SubsetCheck([smaller.schemas, larger.schemas], options);
  const problems = check.compare(smaller.schema, larger.schema, '');
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()];
}

const ANY_TYPE = ['null', 'boolean', 'number', 'string', 'array', 'object'];

class SubsetCheck {
  private readonly difference: Difference;

  constructor(
    private readonly schemas: readonly [smaller: Schemas, larger: Schemas],
    private readonly options: SubsetOptions,
    private readonly seen = new Set<string>(),
  ) {
    this.difference = new Difference(options);
  }

  compare(smaller: JsonSchema, larger: JsonSchema, field: string): SubsetProblem[] {
    if (this.wasSeen(smaller, larger)) return [];
    const [own, all] = [formsOf(smaller, this.schemas[0]), formsOf(larger, this.schemas[1])];
    if (all.some((form) => Object.keys(form).length === 0)) return [];
    const sides: Sides = { own, all, field };
    if (own.some(({ type }) => type === undefined) && !allowsAllTypes(all)) return [this.typeProblem(sides)];
    const typed = own.flatMap((form) =>
      form.type === undefined ? ANY_TYPE.map((type) => ({ ...form, type })) : [form],
    );
    const problems = [...this.listed(typed, sides), ...this.unlisted(typed, sides)];
    return problems.length > 0 ? problems : this.overlaps(smaller, larger, field);
  }

  /** Schemas may refer to themselves. */
  private wasSeen(smaller: JsonSchema, larger: JsonSchema): boolean {
    const pair = JSON.stringify([smaller, larger]);
    if (!pair.includes('"$ref"')) return false;
    if (this.seen.has(pair)) return true;
    this.seen.add(pair);
    return false;
  }

  /** Values that can be listed are judged one by one. */
  private listed(typed: readonly Form[], { own, all, field }: Sides): SubsetProblem[] {
    const refused = typed.flatMap((form) =>
      (valuesOf(form) ?? [])
        .filter((value) => judge(form, this.schemas[0], value) !== false)
        .filter((value) => !all.some((other) => this.allows(other, form, value)))
        .map((value) => ({ form, value })),
    );
    const [first] = refused;
    if (!first) return [];
    const among = all.filter((other) => meets(first.form, other));
    if (among.length === 0) return [this.typeProblem({ own, all, field })];
    const allowed = among.flatMap(({ enum: values, const: constant }) => values ?? constant ?? []);
    if (allowed.length > 0) {
      const values = typed.filter((form) => meets(form, first.form)).flatMap((form) => valuesOf(form) ?? []);
      return [this.difference.of(field, 'enum', [list(values), list(allowed)])];
    }
    const { type, enum: _values, const: _value, ...rules } = first.form;
    const open = { ...rules, type } as Form;
    return among.flatMap((other) => {
      const found = this.form(boundedBy(open, first.value), other, field);
      return found.length > 0 ? found : [this.difference.of(field, 'value', [list([first.value]), 'refused'])];
    });
  }

  private allows(larger: Form, smaller: Form, value: unknown): boolean {
    const format = rulesOf(smaller, 'format');
    const { format: asked, ...others } = larger;
    const told = toldRulesOf(smaller);
    const isKept =
      (asked === undefined || format.includes(asked)) && toldRulesOf(larger).every((rule) => told.includes(rule));
    return isKept && judge(others, this.schemas[1], value) === true;
  }

  /** Each form must fit into one of the other side; for one that fits nowhere, the nearest says why. */
  private unlisted(typed: readonly Form[], sides: Sides): SubsetProblem[] {
    const open = typed.filter((form) => !valuesOf(form));
    return open.flatMap((form) => {
      const near = sides.all.filter((other) => isWithin(form, other));
      if (near.length === 0) return [this.typeProblem(sides)];
      const field = `${sides.field}${this.nameOf(form, sides.own)}`;
      const attempts = near.map((other) => ({ other, found: this.apart().form(form, other, field) }));
      if (attempts.some(({ found }) => found.length === 0)) return [];
      const name = this.discriminator(sides);
      const alike = name === undefined ? attempts : attempts.filter(({ other }) => this.isAlike(form, other, name));
      return alike.length > 0 ? this.nearest(alike) : [this.variantProblem(form, name!, sides)];
    });
  }

  /** The field that tells the members of either union apart. */
  private discriminator({ own, all }: Sides): string | undefined {
    return discriminatorOf(all, this.schemas[1]) ?? discriminatorOf(own, this.schemas[0]);
  }

  private isAlike(form: Form, other: Form, name: string): boolean {
    const [mark, others] = [marksOf(form, name, this.schemas[0]), marksOf(other, name, this.schemas[1])];
    return !mark || !others || mark.some((value) => others.some((one) => same(one, value)));
  }

  private nearest(attempts: readonly { readonly found: SubsetProblem[] }[]): SubsetProblem[] {
    return attempts.map(({ found }) => found).reduce((best, each) => (each.length < best.length ? each : best));
  }

  /** Creates a separate check for one variant, so that its findings do not hide those of another. */
  private apart(): SubsetCheck {
    return new SubsetCheck(this.schemas, this.options, new Set(this.seen));
  }

  /** Two forms of one type. */
  private form(smaller: Form, larger: Form, field: string): SubsetProblem[] {
    const allowed = valuesOf(larger);
    if (allowed) return [this.difference.of(field, 'enum', ['any value', list(allowed)])];
    const nots = rulesOf(larger, 'not').filter((rule) => !this.isOutside(smaller, rule as JsonSchema));
    return [
      ...ruleProblems(smaller, larger, [this.difference, field]),
      ...nots.map((rule) =>
        this.difference.of(field, 'not', [JSON.stringify(smaller.not), JSON.stringify(rule)]),
      ),
      ...(smaller.type === 'array' && larger.items
        ? this.compare(smaller.items ?? {}, larger.items, `${field}[]`)
        : []),
      ...(smaller.type === 'object' ? this.fields(smaller, larger, field) : []),
    ];
  }

  private isOutside(smaller: Form, rule: JsonSchema): boolean {
    if (rulesOf(smaller, 'not').some((own) => same(own, rule))) return true;
    return formsOf(rule, this.schemas[1]).every((form) => areApart(smaller, form, this.schemas));
  }

  private fields(smaller: Form, larger: Form, field: string): SubsetProblem[] {
    const [own, all] = [smaller.properties ?? {}, larger.properties ?? {}];
    const named = Object.keys(all).flatMap((name) => this.field(name, smaller, larger, join(field, name)));
    const more = Object.keys(own).filter((name) => !Object.hasOwn(all, name));
    return [
      ...named,
      ...more.flatMap((name) => this.furtherField(own[name]!, larger, join(field, name))),
      ...requiredOnly(smaller, larger).map((name) =>
        this.difference.of(join(field, name), 'required', ['optional', 'required']),
      ),
      ...this.maps(smaller, larger, field),
    ];
  }

  private field(name: string, smaller: Form, larger: Form, at: string): SubsetProblem[] {
    const required = (side: Form): boolean => side.required?.includes(name) ?? false;
    const own = Object.hasOwn(smaller.properties ?? {}, name) ? smaller.properties![name] : furtherOf(smaller);
    if (own === undefined) {
      if (required(larger)) return [this.difference.of(at, 'required', ['absent', 'required'])];
      return this.options.refusesMore ? [] : [this.difference.of(at, 'field', ['absent', 'there'])];
    }
    const missing = required(larger) && !required(smaller);
    return [
      ...(missing ? [this.difference.of(at, 'required', ['optional', 'required'])] : []),
      ...this.compare(own, larger.properties![name]!, at),
    ];
  }

  /** A field that only the smaller side names. */
  private furtherField(own: JsonSchema, larger: Form, at: string): SubsetProblem[] {
    const further = furtherOf(larger);
    if (further) return this.compare(own, further, at);
    const isRefused = this.options.refusesMore || larger.additionalProperties === false;
    return isRefused ? [this.difference.of(at, 'field', ['there', 'absent'])] : [];
  }

  /** Fields whose names the sender chooses. */
  private maps(smaller: Form, larger: Form, field: string): SubsetProblem[] {
    const [own, all] = [furtherOf(smaller), furtherOf(larger)];
    const at = `${field}{}`;
    if (own && all) return this.compare(own, all, at);
    const isRefused = this.options.refusesMore || larger.additionalProperties === false;
    if (own) return isRefused ? [this.difference.of(at, 'field', ['there', 'absent'])] : [];
    const isMissed = all && !this.options.refusesMore && larger.properties === undefined;
    const isEmptied = Object.keys(smaller.properties ?? {}).length === 0;
    return isMissed && isEmptied ? [this.difference.of(at, 'field', ['absent', 'there'])] : [];
  }

  /** A value that two members of a `oneOf` allow is refused. */
  private overlaps(smaller: JsonSchema, larger: JsonSchema, field: string): SubsetProblem[] {
    const { oneOf } = resolve(larger, this.schemas[1]);
    if (!oneOf || same(oneOf, resolve(smaller, this.schemas[0]).oneOf)) return [];
    const members = oneOf.map((member) => formsOf(member, this.schemas[1]));
    const larger2 = [this.schemas[1], this.schemas[1]] as const;
    const isClear = members.every((one, index) =>
      members.slice(index + 1).every((other) => one.every((a) => other.every((b) => areApart(a, b, larger2)))),
    );
    return isClear ? [] : [this.difference.of(field, 'oneOf', ['other members', 'members that overlap'])];
  }

  private typeProblem({ own, all, field }: Sides): SubsetProblem {
    return this.difference.of(field, 'type', [describe(own), describe(all)]);
  }

  private variantProblem(form: Form, name: string, { own, all, field }: Sides): SubsetProblem {
    const marks = (forms: readonly Form[], schemas: Schemas): string =>
      list(forms.flatMap((each) => marksOf(each, name, schemas) ?? []));
    return this.difference.of(join(field, name), 'variant', [
      marks(own, this.schemas[0]),
      marks(all, this.schemas[1]),
    ]);
  }

  /** Names a member of a union by the field that tells it from the others. */
  private nameOf(form: Form, own: readonly Form[]): string {
    const name = discriminatorOf(own, this.schemas[0]);
    const marks = name === undefined ? undefined : marksOf(form, name, this.schemas[0]);
    return marks ? `(${name}: ${list(marks)})` : '';
  }
}

/** Both sides of a comparison, and where they stand. */
interface Sides {
  readonly own: readonly Form[];
  readonly all: readonly Form[];
  readonly field: string;
}

/** A field that each of several forms of objects requires, with values of its own. */
function discriminatorOf(forms: readonly Form[], schemas: Schemas): string | undefined {
  const objects = forms.filter(({ type }) => type === 'object');
  if (objects.length < 2) return undefined;
  return objects[0]!.required?.find((name) => {
    const marks = objects.map((form) => marksOf(form, name, schemas)?.map((value) => JSON.stringify(value)));
    const all = marks.flatMap((values) => [...new Set(values)]);
    return marks.every((values) => values && values.length > 0) && new Set(all).size === all.length;
  });
}

/** The values of a field, if they can be listed and the field is required. */
function marksOf(form: Form, name: string, schemas: Schemas): readonly unknown[] | undefined {
  const field = form.required?.includes(name) ? form.properties?.[name] : undefined;
  const values = field && formsOf(field, schemas).map(valuesOf);
  return values?.every((each) => each !== undefined) ? values.flat() : undefined;
}

function meets(a: Form, b: Form): boolean {
  return isWithin(a, b) || isWithin(b, a);
}

function isWithin(form: Form, other: Form): boolean {
  if (other.type === undefined || other.type === form.type) return true;
  if (other.type === 'number') return form.type === 'integer';
  const isWhole = rulesOf(form, 'multipleOf').some((step) => Number.isInteger(step));
  return other.type === 'integer' && form.type === 'number' && isWhole;
}

function allowsAllTypes(forms: readonly Form[]): boolean {
  return ANY_TYPE.every((type) => forms.some((form) => isWithin({ type }, form)));
}

/** The schema of fields that a form does not name; `undefined` if nobody sends them. */
function furtherOf({ additionalProperties, properties }: Form): JsonSchema | undefined {
  if (typeof additionalProperties === 'object') return additionalProperties;
  if (additionalProperties === true || (additionalProperties === undefined && properties === undefined)) return {};
  return undefined;
}

/** Names that the larger side requires without saying more about them. */
function requiredOnly(smaller: Form, larger: Form): string[] {
  const names = (larger.required ?? []).filter((name) => !Object.hasOwn(larger.properties ?? {}, name));
  return names.filter((name) => !smaller.required?.includes(name));
}

/** A single value as the bounds of its type, so that a message names the rule that it breaks. */
function boundedBy(form: Form, value: unknown): Form {
  if (typeof value === 'number')
    return { ...form, type: Number.isInteger(value) ? 'integer' : 'number', minimum: value, maximum: value };
  if (typeof value !== 'string') return form;
  return { ...form, minLength: [...value].length, maxLength: [...value].length };
}

function list(values: readonly unknown[]): string {
  return [...new Set(values.map((value) => JSON.stringify(value)))].join(', ');
}

function describe(forms: readonly Form[]): string {
  return [...new Set(forms.map(({ type = 'anything' }) => type))].join(' or ') || 'nothing';
}

function join(field: string, name: string): string {
  return field === '' ? name : `${field}.${name}`;
}
