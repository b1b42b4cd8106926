import {
  Histogram,
  type HistogramConfiguration,
  type MetricObjectWithValues,
  type MetricValueWithName,
} from 'prom-client';

/** Numbers by one name; the code that counts bounds the names. */
export class Tally {
  private readonly counts = new Map<string, { value: number }>();

  add(name: string, by = 1): void {
    const count = this.counts.get(name);
    if (count) count.value += by;
    else this.counts.set(name, { value: by });
  }

  all(): (readonly [name: string, value: number])[] {
    return [...this.counts].map(([name, { value }]) => [name, value]);
  }
}

/** Counts values by the bucket that they fall into, without an allocation for each. */
export class Buckets {
  sum = 0;
  /** The last one holds the values above all bounds. */
  private readonly counts: Float64Array;

  /** @param bounds the highest value of each bucket, ascending */
  constructor(readonly bounds: readonly number[]) {
    this.counts = new Float64Array(bounds.length + 1);
  }

  add(value: number): void {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    this.counts[bucket]!++;
    this.sum += value;
  }

  /** For each bound, and at last for none, the number of values up to it. */
  cumulated(): readonly (readonly [bound: number | '+Inf', count: number])[] {
    let sum = 0;
    return Array.from(this.counts, (count, index) => [this.bounds[index] ?? '+Inf', (sum += count)]);
  }
}

/** The values of a histogram by their labels. */
export type ReadBuckets<Label extends string> = () => readonly (readonly [
  labels: Readonly<Partial<Record<Label, string>>>,
  Buckets,
])[];

/**
 * A histogram whose values are kept outside of prom-client, which takes more time for a value than the rest of a small
 * command, and are read together with the metrics.
 */
export class ReadHistogram<Label extends string> extends Histogram<Label> {
  constructor(
    config: HistogramConfiguration<Label>,
    private readonly read: ReadBuckets<Label>,
  ) {
    super(config);
  }

  override get(): Promise<MetricObjectWithValues<MetricValueWithName<Label>>> {
    const values = this.read().flatMap(([labels, buckets]) => this.valuesOf(labels, buckets));
    const { name, help, aggregator } = this as unknown as HistogramConfiguration<Label>;
    return Promise.resolve({ name, help, type: 'histogram', values, aggregator } as never);
  }

  /** The name under which prom-client asks for the same when it makes text. */
  getForPromString(): Promise<unknown> {
    return this.get();
  }

  private valuesOf(labels: object, buckets: Buckets): object[] {
    const { name } = this as unknown as HistogramConfiguration<Label>;
    const cumulated = buckets.cumulated();
    return [
      ...cumulated.map(([le, value]) => ({
        labels: { le, ...labels },
        value,
        metricName: `${name}_bucket`,
        exemplar: null,
      })),
      { labels, value: buckets.sum, metricName: `${name}_sum` },
      { labels, value: cumulated.at(-1)![1], metricName: `${name}_count` },
    ];
  }
}
