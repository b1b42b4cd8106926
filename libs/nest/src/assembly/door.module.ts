import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Module,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { JobRunner, NodePresence, SessionExpiry } from '@wss/cluster';
import { HandlersModule } from '@wss/core';
import { NodeReadiness } from '../health/readiness.js';
import { placeInOrder } from './hook-order.js';
import { Installation } from './installation.js';
import { NodeMembership } from './node-membership.js';
import { NodeDrain } from './node-drain.js';

/**
 * Opens the node to the cluster and to clients, and closes it. Its hooks run after all others at a start, and before
 * all others at a stop: events, jobs and clients come while the application is whole.
 */
@Module({})
export class DoorModule implements OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown {
  private closing?: Promise<void>;

  constructor(
    modules: ModulesContainer,
    private readonly readiness: NodeReadiness,
    private readonly installation: Installation,
    private readonly membership: NodeMembership,
    private readonly jobs: JobRunner,
    private readonly sessions: SessionExpiry,
    private readonly presence: NodePresence,
    private readonly drain: NodeDrain,
  ) {
    placeInOrder(modules, DoorModule, 'outermost');
  }

  static with(engine: DynamicModule, core: DynamicModule): DynamicModule {
    return {
      module: DoorModule,
      imports: [engine, core, HandlersModule],
      providers: [NodeMembership, NodeDrain],
      exports: [NodeDrain],
    };
  }

  /** @throws Error when half of the installation is missing, or the engine is out of reach */
  async onApplicationBootstrap(): Promise<void> {
    this.installation.requireWhole();
    this.presence.start();
    await this.membership.join();
    this.membership.followListening();
    this.readiness.open();
  }

  /**
   * No new clients come, and no new jobs; those that run can still use all of the application. They are waited for as
   * long as clients may be.
   */
  async onModuleDestroy(): Promise<void> {
    this.readiness.drain();
    const over = this.drain.begin();
    await Promise.all([this.jobs.stop(over), this.sessions.stop(over)]);
  }

  /** Lets the clients go, then tells the cluster that they and the node have gone. */
  beforeApplicationShutdown(): Promise<void> {
    // Nest 11 runs the hooks of two calls of close() side by side.
    return (this.closing ??= this.close());
  }

  private async close(): Promise<void> {
    await this.drain.finish({ waits: this.membership.isJoined });
    await this.presence.close();
    await this.membership.leave();
  }
}
