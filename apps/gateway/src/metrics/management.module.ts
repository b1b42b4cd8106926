import { type DynamicModule, Global, Module } from '@nestjs/common';
import { JobRunner, type JobStats, RoomFeed } from '@wss/cluster';
import { bind, bindValue } from '@wss/core';
import { Hub, MessagingObserver } from '@wss/messaging';
import type { Config } from '../config.js';
import type { Engine, EngineLinks } from '../engine/engine.js';
import { Readiness } from '../health/readiness.js';
import { ManagementServer } from './management.server.js';
import { MeasuredRoomStore } from './measured-store.js';
import { Metrics } from './metrics.js';

/** Counts what happens on this node and shows it on the management port. */
@Global()
@Module({})
export class ManagementModule {
  constructor(metrics: Metrics, hub: Hub, feed: RoomFeed, readiness: Readiness, jobs: JobRunner) {
    metrics.gauge('clients', 'Clients on this node', () => hub.size);
    metrics.gauge('rooms', 'Rooms that this node follows', () => feed.size);
    metrics.gauge('ready', '1 if the node takes clients', () => Number(readiness.problems().length === 0));
    measureJobs(jobs, metrics);
  }

  /** True if the configuration enables it: a port is set, or the node runs in development. */
  static isWanted({ MANAGEMENT_PORT, AUTH }: Config): boolean {
    return MANAGEMENT_PORT !== undefined || AUTH === 'none';
  }

  static with(metrics: Metrics): DynamicModule {
    return {
      module: ManagementModule,
      providers: [bindValue(Metrics, metrics), bind(MessagingObserver, Metrics), ManagementServer],
      exports: [Metrics, MessagingObserver],
    };
  }
}

/** The engine, with its commits and reads counted. */
export function measured(engine: Engine, metrics: Metrics): Engine {
  metrics.gauge('engine_up', '1 if the engine serves', () =>
    Number(Object.values(engine.checks).every((check) => check() === undefined)),
  );
  metrics.gauge('lease_held', '1 if the node holds its lease', () => Number(engine.registry.holdsLease));
  if (engine.links) measureLinks(engine.links, metrics);
  return { ...engine, store: new MeasuredRoomStore(engine.store, metrics) };
}

/** The jobs of the groups that this node has handlers for. All numbers but `running` are those of the whole group. */
function measureJobs(jobs: JobRunner, metrics: Metrics): void {
  const states = ['outstanding', 'unhandled', 'dead', 'running'] as const;
  metrics.gauges('jobs', 'Jobs by their state', ['group', 'state'], () =>
    jobs.stats.flatMap(([group, stats]) => states.map((state) => [{ group, state }, stats[state]] as const)),
  );
  const counter = (name: string, help: string, read: (stats: JobStats) => number): void =>
    metrics.counters(name, help, ['group'], () =>
      jobs.stats.map(([group, stats]) => [{ group }, read(stats)] as const),
    );
  counter('job_failures_total', 'Attempts at jobs that failed on this node', ({ failures }) => failures);
  counter('jobs_given_up_total', 'Jobs that this node gave up and that are kept', ({ givenUp }) => givenUp);
}

/** Measures the links to Redis and the results of their probes. */
function measureLinks({ counts, probes }: EngineLinks, metrics: Metrics): void {
  metrics.gauges('links', 'Links to Redis that the node keeps', ['role'], () =>
    counts().map(({ role, all }) => [{ role }, all]),
  );
  metrics.gauges('links_up', 'Links to Redis that are up', ['role'], () =>
    counts().map(({ role, up }) => [{ role }, up]),
  );
  metrics.counters('link_probes_total', 'Probes of links by outcome', ['outcome'], () =>
    (['answered', 'missed'] as const).map((outcome) => [{ outcome }, probes[outcome]]),
  );
  metrics.counters('engine_clock_steps_total', "Steps of a Redis server's clock", [], () => [
    [{}, probes.clock.steps],
  ]);
  metrics.gauge(
    'engine_clock_spread_seconds',
    "How far the clocks of Redis' masters differ",
    () => probes.clock.spreadMs / 1_000,
  );
  metrics.counters('links_replaced_total', 'Links that a probe replaced', ['role', 'cause'], () =>
    probes.replacements.map(({ role, cause, count }) => [{ role, cause }, count]),
  );
}
