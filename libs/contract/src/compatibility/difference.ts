/** One reason for which a value of the smaller schema may break the larger one. */
export interface SubsetProblem {
  /** Path, e.g. `cards[].title`; empty for the data itself. `{}` is a value of a map. */
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

/** A difference between two sides, in words. */
export class Difference {
  constructor(private readonly options: SubsetOptions) {}

  /** @param smaller what the smaller side says; `undefined`: nothing */
  of(field: string, rule: string, [smaller, larger]: readonly [unknown, unknown]): SubsetProblem {
    const sides = { [this.options.smaller]: shown(smaller), [this.options.larger]: shown(larger) };
    return { field, rule: `${rule}: ${sides.committed} became ${sides.present}` };
  }
}

function shown(value: unknown): string {
  return value === undefined ? 'none' : String(value);
}
