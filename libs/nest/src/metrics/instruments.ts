import { Counter, Gauge, type Registry } from 'prom-client';
import { type ReadBuckets, ReadHistogram } from './tallies.js';

/** Values by their labels. */
type Read<Label extends string> = () => readonly (readonly [Partial<Record<Label, string>>, number])[];

/** Makes the instruments of a registry; their names begin with `wss_`. */
export class Instruments {
  constructor(readonly registry: Registry) {}

  /** A gauge that is read together with the metrics. */
  gauge(name: string, help: string, read: () => number): void {
    this.gauges(name, help, [], () => [[{}, read()]]);
  }

  /** Gauges with labels, read together with the metrics. */
  gauges<Label extends string>(name: string, help: string, labelNames: Label[], read: Read<Label>): void {
    new Gauge({
      name: `wss_${name}`,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        for (const [labels, value] of read()) this.set(labels, value);
      },
    });
  }

  /** Counters that other parts keep, read together with the metrics. */
  counters<Label extends string>(name: string, help: string, labelNames: Label[], read: Read<Label>): void {
    new Counter({
      name: `wss_${name}`,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.inc(labels, value);
      },
    });
  }

  /** A counter of this node's own. */
  counter<Label extends string = never>(
    name: string,
    help: string,
    labelNames: Label[] = [],
  ): Counter<Label> {
    return new Counter({ name: `wss_${name}`, help, labelNames, registers: [this.registry] });
  }

  /** A histogram that other parts keep, read together with the metrics. */
  histogram<Label extends string = never>(
    name: string,
    { help, labels = [], buckets }: { help: string; labels?: Label[]; buckets: number[] },
    read: ReadBuckets<Label>,
  ): void {
    const config = { name: `wss_${name}`, help, labelNames: labels, buckets, registers: [this.registry] };
    new ReadHistogram(config, read);
  }
}
