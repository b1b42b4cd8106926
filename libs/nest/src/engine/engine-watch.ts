import { Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import type { RoomTypeRegistry } from '@wss/core';
import type { Hub } from '@wss/messaging';
import { LogGate } from '@wss/protocol';
import type { Engine } from './engine.js';
import type { NodeReadiness } from '../health/readiness.js';

/** How often the engine is checked, ms. */
const EVERY_MS = 500;

/** The parts that the watch checks, and those that it informs. */
export interface EngineWatchOptions {
  readonly engine: Engine;
  readonly hub: Hub;
  readonly readiness: NodeReadiness;
  readonly types: RoomTypeRegistry;
}

/** Tells the node's clients and its readiness when the engine can't serve and when it can again. */
export class EngineWatch implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Engine');
  private readonly losses = new LogGate((line) => this.logger.warn(line));
  private readonly returns = new LogGate((line) => this.logger.log(line));
  private timer?: NodeJS.Timeout;
  private degraded = false;

  constructor(private readonly options: EngineWatchOptions) {
    const { engine, readiness } = options;
    const parts = { ...engine.checks, ...engine.fitness };
    for (const [part, check] of Object.entries(parts)) readiness.add(part, check);
    const clock = engine.links?.probes.clock;
    if (clock) readiness.addNotice('clocks', () => clock.notice());
    readiness.add('lease', () =>
      engine.registry.holdsLease ? undefined : 'this node does not hold its lease',
    );
  }

  onApplicationBootstrap(): void {
    this.requireDurability();
    this.timer = setInterval(() => this.look(), EVERY_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  private requireDurability(): void {
    const { engine, types } = this.options;
    if (engine.canBeDurable) return;
    for (const { type, durable } of types.all().values()) {
      if (durable)
        throw new Error(
          `rooms "${type}" are durable, but the number of replicas that may be promoted is 0; set it (redis.durableReplicas, of the gateway DURABLE_REPLICAS)`,
        );
    }
  }

  private problems(): string[] {
    const checks = Object.values(this.options.engine.checks);
    return checks.map((check) => check()).filter((problem) => problem !== undefined);
  }

  private look(): void {
    const [problem] = this.problems();
    const degraded = problem !== undefined;
    if (degraded === this.degraded) return;
    this.degraded = degraded;
    if (degraded) this.losses.report('degraded', `degraded: ${problem}`);
    else this.returns.report('serves', 'the engine serves again');
    this.options.hub.deliverToAll('"$notice"', JSON.stringify({ degraded }));
  }
}
