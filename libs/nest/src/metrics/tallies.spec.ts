import { expect, it } from '@jest/globals';
import { newSeed, Random } from '@wss/testing';
import { Counter, Histogram, Registry } from 'prom-client';
import { Instruments } from './instruments.js';
import { Metrics } from './metrics.js';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const COMMANDS = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/** The same metrics, kept by prom-client. */
function reference(registers: Registry[]) {
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Counter({ name: `wss_${name}`, help, labelNames, registers });
  const histogram = <Label extends string>(
    name: string,
    help: string,
    rest: { labelNames?: Label[]; buckets: number[] },
  ) => new Histogram({ name: `wss_${name}`, help, ...rest, registers });
  return {
    deliveries: counter('deliveries_total', 'Events times the members that got them', ['kind']),
    commands: counter('commands_total', 'Commands that have ended', ['event', 'outcome']),
    seconds: histogram('command_duration_seconds', 'From the frame to the answer', {
      labelNames: ['event'],
      buckets: SECONDS,
    }),
    commits: counter('commit_batches_total', 'Commits that the engine answered', ['outcome']),
    commitCommands: histogram('commit_batch_commands', 'Commands in one commit', { buckets: COMMANDS }),
    commitSeconds: histogram('commit_duration_seconds', 'From the call of the engine to its answer', {
      buckets: SECONDS,
    }),
  };
}

it('shows what it counts as prom-client does, as text and as JSON', async () => {
  const seed = newSeed();
  const random = new Random(seed);
  const [registry, other] = [new Registry(), new Registry()];
  const metrics = new Metrics(new Instruments(registry));
  const wanted = reference([other]);
  const names = Object.values(wanted).map((metric) => (metric as unknown as { name: string }).name);
  for (let round = 0; round < 4; round++) {
    for (const name of names) {
      expect({ seed, ...(await shown(registry, name)) }).toEqual({ seed, ...(await shown(other, name)) });
    }
    for (let i = 0; i < 300; i++) {
      const seconds = random.below(4) === 0 ? random.pick(SECONDS) : random.next() ** 8 * 20;
      const [event, outcome] = [random.pick(['a', '$join', 'x"y']), random.pick(['ok', 'invalid'])];
      metrics.commandEnded(event, outcome, seconds);
      wanted.commands.inc({ event, outcome });
      wanted.seconds.observe({ event }, seconds);
      const [kind, count] = [random.pick(['log', 'volatile'] as const), random.below(1_000)];
      metrics.delivered(kind, count);
      wanted.deliveries.inc({ kind }, count);
      const [ended, size] = [random.pick(['committed', 'conflict'] as const), random.below(300)];
      metrics.batchEnded(ended as never, size, seconds);
      wanted.commits.inc({ outcome: ended });
      wanted.commitCommands.observe(size);
      wanted.commitSeconds.observe(seconds);
    }
  }
});

/** A metric as text and as JSON; the order of its samples means nothing. */
async function shown(registry: Registry, name: string): Promise<object> {
  const text = (await registry.getSingleMetricAsString(name)).split('\n').sort();
  const { values, ...metric } = await registry.getSingleMetric(name)!.get();
  const json = values.map((value) => JSON.stringify(value, sorted)).sort();
  return { text, json, metric };
}

function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
