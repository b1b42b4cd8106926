import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Module,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { ClusterTransport, JobRunner, NodePresence, SessionExpiry } from '@wss/cluster';
import { HandlersModule, RoomTypeRegistry } from '@wss/core';
import { CommandRouter } from '@wss/messaging';
import { Engine } from '../engine/engine.js';
import { NodeReadiness } from '../health/readiness.js';
import { placeInOrder } from './hook-order.js';
import { Installation } from './installation.js';
import { NodeDrain } from './node-drain.js';

/**
 * Opens the node to the cluster and to clients, and closes it. Its hooks run after all others at a start, and before
 * all others at a stop: events, jobs and clients come while the application is whole.
 */
@Module({})
export class DoorModule implements OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown {
  constructor(
    modules: ModulesContainer,
    private readonly engine: Engine,
    private readonly readiness: NodeReadiness,
    private readonly installation: Installation,
    private readonly transport: ClusterTransport,
    private readonly jobs: JobRunner,
    private readonly sessions: SessionExpiry,
    private readonly presence: NodePresence,
    private readonly router: CommandRouter,
    private readonly types: RoomTypeRegistry,
    private readonly drain: NodeDrain,
  ) {
    placeInOrder(modules, DoorModule, 'outermost');
  }

  static with(engine: DynamicModule, core: DynamicModule): DynamicModule {
    return {
      module: DoorModule,
      imports: [engine, core, HandlersModule],
      providers: [NodeDrain],
      exports: [NodeDrain],
    };
  }

  /** @throws Error when half of the installation is missing, or the engine is out of reach */
  async onApplicationBootstrap(): Promise<void> {
    this.installation.requireWhole();
    this.presence.start();
    // Before the first client comes, the other nodes know what it may send here.
    await this.engine.registry.describe({
      events: this.router.contract,
      rooms: [...this.types.all().keys()],
    });
    await new Promise<void>((resolve, reject) => {
      this.transport.listen((error) => (error === undefined ? resolve() : reject(error as Error)));
    });
    this.readiness.open();
  }

  /** No new clients come, and no new jobs; what runs can still use all of the application. */
  async onModuleDestroy(): Promise<void> {
    this.readiness.drain();
    this.drain.begin();
    await Promise.all([this.jobs.stop(), this.sessions.stop()]);
  }

  /** Lets the clients go, then tells the cluster that they and the node have gone. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.drain.finish();
    await this.presence.close();
    await this.transport.close();
  }
}
