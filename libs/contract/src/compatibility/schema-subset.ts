import { type JsonSchema, resolve, type Schemas } from '../json-schema.js';

/** A schema with the named schemas that it refers to. */
export interface Scoped {
  readonly schema: JsonSchema;
  readonly schemas: Schemas;
}

/** One reason for which a value of the smaller schema may break the larger one. */
export interface SubsetProblem {
  /** Path, e.g. `cards[].title`; empty for the data itself. */
  readonly field: string;
  /** The rule, and how its two sides differ. */
  readonly rule: string;
}

/** Names of the two sides in messages, and if a field that only the smaller one has is a problem. */
export interface SubsetOptions {
  readonly smaller: 'committed' | 'present';
  readonly larger: 'committed' | 'present';
  readonly refusesMore: boolean;
}

/**
 * Lists why some value that `smaller` allows is not allowed by `larger`; empty if every value is. Rules that can't be
 * compared, such as two patterns, count as a problem if they differ.
 */
export function subsetProblems(smaller: Scoped, larger: Scoped, options: SubsetOptions): SubsetProblem[] {
  return new SubsetCheck(smaller.schemas, larger.schemas, options).compare(smaller.schema, larger.schema, '');
}

/** Rules in which the larger side must be looser: its bound must be at most, or at least, the smaller one's. */
const LOWER_BOUNDS = ['minLength', 'minItems', 'minProperties', 'minimum', 'exclusiveMinimum'];
const UPPER_BOUNDS = ['maxLength', 'maxItems', 'maxProperties', 'maximum', 'exclusiveMaximum'];
/** Rules that must be equal if the larger side has one. */
const OPAQUE = ['pattern', 'format', 'multipleOf', 'uniqueItems', 'not', 'allOf'];

class SubsetCheck {
  constructor(
    private readonly smallerSchemas: Schemas,
    private readonly largerSchemas: Schemas,
    private readonly options: SubsetOptions,
    private readonly seen = new Set<string>(),
  ) {}

  compare(smallerRef: JsonSchema, largerRef: JsonSchema, field: string): SubsetProblem[] {
    if (this.wasSeen(smallerRef, largerRef)) return [];
    const smaller = resolve(smallerRef, this.smallerSchemas);
    const larger = resolve(largerRef, this.largerSchemas);
    if (smaller.anyOf ?? smaller.oneOf ?? larger.anyOf ?? larger.oneOf) {
      return this.compareVariants(smaller, larger, field);
    }
    const types = this.types(smaller, larger, field);
    if (types.length > 0) return types;
    return [
      ...this.values(smaller, larger, field),
      ...this.bounds(smaller, larger, field),
      ...this.opaque(smaller, larger, field),
      ...this.items(smaller, larger, field),
      ...this.fields(smaller, larger, field),
    ];
  }

  /** Schemas may refer to themselves. */
  private wasSeen(smaller: JsonSchema, larger: JsonSchema): boolean {
    if (smaller.$ref === undefined || larger.$ref === undefined) return false;
    const pair = `${smaller.$ref}\n${larger.$ref}`;
    if (this.seen.has(pair)) return true;
    this.seen.add(pair);
    return false;
  }

  /**
   * Each variant must fit into one of the other side; for one that fits nowhere, the findings against the nearest are
   * reported.
   */
  private compareVariants(smaller: JsonSchema, larger: JsonSchema, field: string): SubsetProblem[] {
    return variantsOf(smaller).flatMap((one) => {
      const misfits = variantsOf(larger).map((other) => this.apart().compare(one, other, field));
      const nearest = misfits.reduce((best, each) =>
        nearness(each, field) < nearness(best, field) ? each : best,
      );
      if (nearness(nearest, field) < Infinity) return nearest;
      return [this.problem(field, 'type', describe(smaller), describe(larger))];
    });
  }

  /** Creates a separate check for one variant, so that its findings do not hide those of another. */
  private apart(): SubsetCheck {
    return new SubsetCheck(this.smallerSchemas, this.largerSchemas, this.options, new Set(this.seen));
  }

  private types(smaller: JsonSchema, larger: JsonSchema, field: string): SubsetProblem[] {
    const allowed = typesOf(larger);
    if (allowed.length === 0) return [];
    const asked = typesOf(smaller);
    const fits = (type: string): boolean =>
      allowed.includes(type) || (type === 'integer' && allowed.includes('number'));
    if (asked.length > 0 && asked.every(fits)) return [];
    return [this.problem(field, 'type', asked.join(' or ') || 'anything', allowed.join(' or '))];
  }

  private values(smaller: JsonSchema, larger: JsonSchema, field: string): SubsetProblem[] {
    const allowed = valuesOf(larger);
    if (!allowed) return [];
    const asked = valuesOf(smaller);
    if (!asked) return [this.problem(field, 'enum', 'any value', listed(allowed))];
    const extra = asked.filter((value) => !allowed.some((each) => same(each, value)));
    return extra.length === 0 ? [] : [this.problem(field, 'enum', listed(asked), listed(allowed))];
  }

  private bounds(smaller: JsonSchema, larger: JsonSchema, field: string): SubsetProblem[] {
    const problems: SubsetProblem[] = [];
    for (const rule of [...LOWER_BOUNDS, ...UPPER_BOUNDS]) {
      const bound = larger[rule] as number | undefined;
      if (bound === undefined) continue;
      const own = (smaller[rule] ?? impliedBound(smaller, rule)) as number | undefined;
      const inside = own !== undefined && (LOWER_BOUNDS.includes(rule) ? own >= bound : own <= bound);
      const harmless = bound === 0 && /^min(Length|Items|Properties)$/.test(rule);
      if (!inside && !harmless) problems.push(this.problem(field, rule, own ?? 'none', bound));
    }
    return problems;
  }

  private opaque(smaller: JsonSchema, larger: JsonSchema, field: string): SubsetProblem[] {
    return OPAQUE.filter((rule) => larger[rule] !== undefined && !same(larger[rule], smaller[rule])).map(
      (rule) => this.problem(field, rule, shown(smaller[rule]), shown(larger[rule])),
    );
  }

  private items(smaller: JsonSchema, larger: JsonSchema, field: string): SubsetProblem[] {
    if (!larger.items || !typesOf(smaller).includes('array')) return [];
    return this.compare(smaller.items ?? {}, larger.items, `${field}[]`);
  }

  private fields(smaller: JsonSchema, larger: JsonSchema, field: string): SubsetProblem[] {
    const problems = Object.keys(larger.properties ?? {}).flatMap((name) =>
      this.field(name, smaller, larger, join(field, name)),
    );
    const own = Object.keys(smaller.properties ?? {});
    const refused = own.filter(
      (name) => this.options.refusesMore && !isOpen(larger) && !Object.hasOwn(larger.properties ?? {}, name),
    );
    return [
      ...problems,
      ...refused.map((name) => this.problem(join(field, name), 'field', 'there', 'absent')),
      ...this.furtherFields(smaller, larger, field),
    ];
  }

  private field(name: string, smaller: JsonSchema, larger: JsonSchema, at: string): SubsetProblem[] {
    const own = smaller.properties ?? {};
    const required = (side: JsonSchema): boolean => side.required?.includes(name) ?? false;
    if (!Object.hasOwn(own, name)) {
      if (required(larger)) return [this.problem(at, 'required', 'absent', 'required')];
      return this.options.refusesMore ? [] : [this.problem(at, 'field', 'absent', 'there')];
    }
    const missing = required(larger) && !required(smaller);
    return [
      ...(missing ? [this.problem(at, 'required', 'optional', 'required')] : []),
      ...this.compare(own[name]!, larger.properties![name]!, at),
    ];
  }

  /** Fields whose names the sender chooses. */
  private furtherFields(smaller: JsonSchema, larger: JsonSchema, field: string): SubsetProblem[] {
    const [own, allowed] = [smaller.additionalProperties, larger.additionalProperties];
    if (typeof allowed !== 'object') return [];
    return this.compare(typeof own === 'object' ? own : {}, allowed, `${field}{}`);
  }

  private problem(field: string, rule: string, smaller: unknown, larger: unknown): SubsetProblem {
    const sides = { [this.options.smaller]: String(smaller), [this.options.larger]: String(larger) };
    return { field, rule: `${rule}: ${sides.committed} became ${sides.present}` };
  }
}

function typesOf({ type, enum: values, const: constant }: JsonSchema): readonly string[] {
  if (type !== undefined) return typeof type === 'string' ? [type] : type;
  const known = values ?? (constant === undefined ? [] : [constant]);
  return [...new Set(known.map((value) => (value === null ? 'null' : typeof value)))];
}

function valuesOf({ enum: values, const: constant }: JsonSchema): readonly unknown[] | undefined {
  return values ?? (constant === undefined ? undefined : [constant]);
}

function variantsOf(schema: JsonSchema): readonly JsonSchema[] {
  const { anyOf, oneOf, ...rest } = schema;
  const variants = anyOf ?? oneOf;
  return variants ? variants.map((variant) => ({ ...rest, ...variant })) : [schema];
}

/** A bound that another rule implies. */
function impliedBound(schema: JsonSchema, rule: string): number | undefined {
  const [minimum, maximum] = [schema.minimum, schema.maximum] as (number | undefined)[];
  const [above, below] = [schema.exclusiveMinimum, schema.exclusiveMaximum] as (number | undefined)[];
  if (rule === 'minimum') return above;
  if (rule === 'maximum') return below;
  if (rule === 'exclusiveMinimum' && minimum !== undefined) return minimum - Number.EPSILON;
  if (rule === 'exclusiveMaximum' && maximum !== undefined) return maximum + Number.EPSILON;
  return undefined;
}

/** True if the schema allows fields that it does not name. */
function isOpen({ additionalProperties, properties }: JsonSchema): boolean {
  return properties === undefined || typeof additionalProperties === 'object';
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function shown(value: unknown): string {
  return value === undefined ? 'none' : JSON.stringify(value);
}

/** The number of problems between two variants; variants of another type are never near. */
function nearness(problems: readonly SubsetProblem[], field: string): number {
  return problems.some((each) => each.field === field && each.rule.startsWith('type:'))
    ? Infinity
    : problems.length;
}

function listed(values: readonly unknown[]): string {
  return values.map((value) => JSON.stringify(value)).join(', ');
}

function describe(schema: JsonSchema): string {
  return variantsOf(schema)
    .map(
      (each) =>
        each.$ref?.slice(each.$ref.lastIndexOf('/') + 1) ?? (typesOf(each).join(' or ') || 'anything'),
    )
    .join(' or ');
}

function join(field: string, name: string): string {
  return field === '' ? name : `${field}.${name}`;
}
