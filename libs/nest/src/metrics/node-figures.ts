import type { NodeFigures } from '../engine/engine-observer.js';
import type { Instruments } from './instruments.js';

/** Shows the figures of a node. */
export function showFigures(figures: NodeFigures, instruments: Instruments): void {
  instruments.gauge('clients', 'Clients on this node', () => figures.clients());
  instruments.gauge('rooms', 'Rooms that this node follows', () => figures.rooms());
  instruments.gauge('ready', '1 if the node takes clients', () => Number(figures.isReady()));
  instruments.gauge('engine_up', '1 if the engine serves', () => Number(figures.engineServes()));
  instruments.gauge('lease_held', '1 if the node holds its lease', () => Number(figures.holdsLease()));
  showJobs(figures, instruments);
  showRevocations(figures, instruments);
  const limited = 'Sessions without a connection that ended because their user had too many';
  instruments.counters('sessions_limited_total', limited, [], () => [[{}, figures.sessionsLimited()]]);
  instruments.counters('rate_parts_total', "Parts of users' limits that were asked for", ['outcome'], () =>
    figures.partsAsked().map(([outcome, count]) => [{ outcome }, count] as const),
  );
  if (figures.links) showLinks(figures.links, instruments);
}

/** The jobs of the groups that this node has handlers for. All numbers but `running` are those of the whole group. */
function showJobs({ jobs }: NodeFigures, instruments: Instruments): void {
  const states = ['outstanding', 'waiting', 'running', 'failed', 'unhandled', 'dead'] as const;
  instruments.gauges('jobs', 'Jobs by their state', ['group', 'state'], () =>
    jobs().flatMap(([group, stats]) => states.map((state) => [{ group, state }, stats[state]] as const)),
  );
  instruments.counters('job_failures_total', 'Attempts at jobs that failed on this node', ['group'], () =>
    jobs().map(([group, { failures }]) => [{ group }, failures] as const),
  );
  instruments.counters(
    'jobs_given_up_total',
    'Jobs that this node gave up and that are kept',
    ['group'],
    () => jobs().map(([group, { givenUp }]) => [{ group }, givenUp] as const),
  );
}

function showRevocations({ putOut, revocationsKept }: NodeFigures, instruments: Instruments): void {
  const help = 'Users and sessions that this node was asked to put out';
  instruments.counters('revocations_total', help, ['kind'], () =>
    putOut().map(([kind, count]) => [{ kind }, count] as const),
  );
  instruments.gauge('revocations_kept', 'Revocations not proven to survive a failover', revocationsKept);
}

/** The links to Redis and the results of their probes. */
function showLinks({ counts, probes }: NonNullable<NodeFigures['links']>, instruments: Instruments): void {
  instruments.gauges('links', 'Links to Redis that the node keeps', ['role'], () =>
    counts().map(({ role, all }) => [{ role }, all]),
  );
  instruments.gauges('links_up', 'Links to Redis that are up', ['role'], () =>
    counts().map(({ role, up }) => [{ role }, up]),
  );
  instruments.counters('link_probes_total', 'Probes of links by outcome', ['outcome'], () =>
    (['answered', 'missed'] as const).map((outcome) => [{ outcome }, probes[outcome]]),
  );
  instruments.counters('engine_clock_steps_total', "Steps of a Redis server's clock", [], () => [
    [{}, probes.clock.steps],
  ]);
  instruments.gauge(
    'engine_clock_spread_seconds',
    "How far the clocks of Redis' masters differ",
    () => probes.clock.spreadMs / 1_000,
  );
  instruments.counters('links_replaced_total', 'Links that a probe replaced', ['role', 'cause'], () =>
    probes.replacements.map(({ role, cause, count }) => [{ role, cause }, count]),
  );
}
