import { Injectable, Optional } from '@nestjs/common';
import { JobRunner, Revocations, RoomFeed } from '@wss/cluster';
import { Hub } from '@wss/messaging';
import { EngineUserRates } from '@wss/state';
import { EngineObserver } from '../engine/engine-observer.js';
import { Engine } from '../engine/engine.js';
import { NodeReadiness } from '../health/readiness.js';

/** Gives the figures of the node to its observer, if there is one. */
@Injectable()
export class NodeMetering {
  constructor(
    { checks, registry, links, waiting }: Engine,
    hub: Hub,
    feed: RoomFeed,
    readiness: NodeReadiness,
    runner: JobRunner,
    revocations: Revocations,
    rates: EngineUserRates,
    @Optional() observer?: EngineObserver,
  ) {
    observer?.nodeMade({
      clients: () => hub.size,
      rooms: () => feed.size,
      isReady: () => readiness.problems().length === 0,
      engineServes: () => Object.values(checks).every((check) => check() === undefined),
      holdsLease: () => registry.holdsLease,
      jobs: () => runner.stats,
      putOut: () => Object.entries(revocations.counts),
      sessionsLimited: () => waiting?.ended ?? 0,
      revocationsKept: () => revocations.kept.size,
      partsAsked: () => Object.entries(rates.counts),
      links,
    });
  }
}
