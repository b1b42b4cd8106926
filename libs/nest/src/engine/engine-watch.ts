import { Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import type { RoomTypeRegistry } from '@wss/core';
import type { Hub } from '@wss/messaging';
import { LogGate } from '@wss/protocol';
import type { Engine } from './engine.js';
import type { NodeReadiness } from '../health/readiness.js';

/** How often the engine is checked, ms. */
const EVERY_MS = 500;

/** How long the engine may be away before somebody must act, ms. */
const LONG_MS = 10_000;

/** An outage of the engine. */
interface Outage {
  /** When the engine last proved that it served, by `performance.now()`: a loss is noticed seconds later. */
  readonly since: number;
  /** True once it was reported as an error. */
  isTold: boolean;
}

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
  private outage?: Outage | undefined;

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
    if (problem === undefined) this.end();
    else if (this.outage) this.goOn(this.outage, problem);
    else this.begin(problem);
  }

  private begin(problem: string): void {
    this.outage = { since: performance.now() - this.options.engine.provenAgoMs(), isTold: false };
    this.losses.report('degraded', `degraded: ${problem}`);
    this.tell(true);
  }

  /** Tells a long outage once, whatever becomes of it. */
  private goOn(outage: Outage, problem: string): void {
    if (outage.isTold || performance.now() - outage.since < LONG_MS) return;
    outage.isTold = true;
    this.logger.error(
      `the engine has not served for ${LONG_MS / 1_000} s (${problem}): commands are answered "unavailable", clients stay connected and wait. See that ${this.options.engine.description} runs and can be reached from here; the node goes on by itself then`,
    );
  }

  private end(): void {
    if (!this.outage) return;
    const seconds = ((performance.now() - this.outage.since) / 1_000).toFixed(1);
    const line = `the engine serves again, after ${seconds} s`;
    // The end of what was told as an error is told in any case.
    if (this.outage.isTold) this.logger.log(line);
    else this.returns.report('serves', line);
    this.outage = undefined;
    this.tell(false);
  }

  private tell(degraded: boolean): void {
    this.options.hub.deliverToAll('"$notice"', JSON.stringify({ degraded }));
  }
}
