import { Injectable } from '@nestjs/common';
import { MessagingObserver, type SlowClientAction } from '@wss/messaging';
import { CLOSE_CODES } from '@wss/protocol';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const COMMANDS = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/** Values by their labels. */
type Read<Label extends string> = () => readonly (readonly [Partial<Record<Label, string>>, number])[];

/** Close codes that come from the client, or stand for a missing close frame. */
const FOREIGN_CODES = new Set([1005, 1006]);

/**
 * Everything that a node counts, as Prometheus metrics. The code bounds the values of every label: no name from a
 * client becomes one.
 */
@Injectable()
export class Metrics extends MessagingObserver {
  readonly registry = new Registry();

  private readonly commands = this.counter('commands_total', 'Commands that have ended', [
    'event',
    'outcome',
  ]);
  private readonly commandSeconds = this.histogram('command_duration_seconds', {
    help: 'From the frame to the answer',
    labels: ['event'],
    buckets: SECONDS,
  });
  private readonly upgrades = this.counter('upgrades_total', 'Upgrades that were answered', ['status']);
  private readonly closes = this.counter('client_closes_total', 'Connections that have ended', ['code']);
  private readonly slow = this.counter('slow_clients_total', 'Actions against slow clients', ['action']);
  private readonly drained = this.counter('drained_clients_total', 'Clients of the stopping node', ['how']);

  /** `committed`, `conflict`, `judged` (numbers that were refused or known) or `failed`. */
  readonly commits = this.counter('commit_batches_total', 'Commits that the engine answered', ['outcome']);
  readonly commitCommands = this.histogram('commit_batch_commands', {
    help: 'Commands in one commit',
    buckets: COMMANDS,
  });
  readonly commitSeconds = this.histogram('commit_duration_seconds', {
    help: 'From the call of the engine to its answer',
    buckets: SECONDS,
  });
  /** Reads of events that a room's subscription missed; `ok` or `failed`. */
  readonly repairs = this.counter('gap_repairs_total', 'Reads of missed events', ['outcome']);
  readonly repairedEvents = this.counter('gap_repaired_events_total', 'Events that such reads brought');
  /** Deliveries to members on this node; `log` or `volatile`. */
  private readonly deliveries = this.counter('deliveries_total', 'Events times the members that got them', [
    'kind',
  ]);
  /** Parts of rooms that the engine lost before their time. */
  readonly lostParts = this.counter('room_parts_lost_total', 'Parts of rooms that vanished from the engine', [
    'part',
  ]);
  /** `continued`: members went on; `reset`: they had to start anew. */
  private readonly epochs = this.counter('room_epochs_total', 'Rooms whose history changed', ['outcome']);

  constructor() {
    super();
    collectDefaultMetrics({ register: this.registry });
  }

  commandEnded(event: string, outcome: string, seconds: number): void {
    this.commands.inc({ event, outcome });
    this.commandSeconds.observe({ event }, seconds);
  }

  upgradeAnswered(status: number): void {
    this.upgrades.inc({ status });
  }

  clientGone(code: number): void {
    const known = code in CLOSE_CODES || FOREIGN_CODES.has(code);
    this.closes.inc({ code: known ? String(code) : 'other' });
  }

  clientSlow(action: SlowClientAction): void {
    this.slow.inc({ action });
  }

  clientDrained(how: 'closed' | 'cut'): void {
    this.drained.inc({ how });
  }

  delivered(kind: 'log' | 'volatile', count: number): void {
    this.deliveries.inc({ kind }, count);
  }

  historyChanged(outcome: 'continued' | 'reset'): void {
    this.epochs.inc({ outcome });
  }

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

  private counter<Label extends string = never>(
    name: string,
    help: string,
    labelNames: Label[] = [],
  ): Counter<Label> {
    return new Counter({ name: `wss_${name}`, help, labelNames, registers: [this.registry] });
  }

  private histogram<Label extends string = never>(
    name: string,
    { help, labels = [], buckets }: { help: string; labels?: Label[]; buckets: number[] },
  ): Histogram<Label> {
    return new Histogram({
      name: `wss_${name}`,
      help,
      labelNames: labels,
      buckets,
      registers: [this.registry],
    });
  }
}
