import { type DynamicModule, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import {
  ClientRouting,
  CLUSTER_PROVIDERS,
  ClusterPresence,
  ClusterRooms,
  ClusterSessions,
  ClusterTransport,
  ClusterUsers,
  JobRunner,
  NodeCluster,
  NodePresence,
  PlaceCounts,
  Revocations,
  RoomFeed,
  SessionExpiry,
} from '@wss/cluster';
import { HandlersModule, RoomTypeRegistry } from '@wss/core';
import { CommandRouter, Drain, MESSAGING_PROVIDERS } from '@wss/messaging';
import {
  Committer,
  DocumentRegistry,
  EngineUserRates,
  requireDeclaredRooms,
  RoomStore,
  STATE_PROVIDERS,
} from '@wss/state';
import { Engine } from '../engine/engine.js';
import { ClientGateway } from './client.gateway.js';
import { ENGINE_PROVIDERS } from './engine-providers.js';
import { placeInOrder } from './hook-order.js';
import { Installation } from './installation.js';
import { NodeFacts } from './node-facts.js';
import { NodeMetering } from './node-metering.js';
import { PRESENCE_PROVIDERS } from './presence-providers.js';

/** The parts of the core that the modules around it use. */
const EXPORTS = [
  ClusterRooms,
  ClusterUsers,
  ClusterSessions,
  ClusterPresence,
  NodeCluster,
  NodePresence,
  ClusterTransport,
  JobRunner,
  SessionExpiry,
  RoomStore,
  Committer,
  DocumentRegistry,
  CommandRouter,
  Drain,
  Installation,
  NodeFacts,
];

/**
 * Joins the libraries: clients on one side, the engine on the other. Its hooks run before all others at a start, and
 * after all others at a stop, so that the application can use the engine from its first hook to its last.
 */
@Module({})
export class CoreModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    modules: ModulesContainer,
    private readonly engine: Engine,
    private readonly routing: ClientRouting,
    private readonly feed: RoomFeed,
    private readonly committer: Committer,
    private readonly documents: DocumentRegistry,
    private readonly types: RoomTypeRegistry,
    private readonly revocations: Revocations,
    private readonly places: PlaceCounts,
    private readonly rates: EngineUserRates,
  ) {
    placeInOrder(modules, CoreModule, 'innermost');
  }

  static with(engine: DynamicModule, imports: NonNullable<DynamicModule['imports']>): DynamicModule {
    return {
      module: CoreModule,
      imports: [engine, HandlersModule, ...imports],
      providers: [
        ...MESSAGING_PROVIDERS,
        ...CLUSTER_PROVIDERS,
        ...STATE_PROVIDERS,
        ...ENGINE_PROVIDERS,
        ...PRESENCE_PROVIDERS,
        ClientGateway,
        Installation,
        NodeFacts,
        NodeMetering,
      ],
      exports: [...EXPORTS],
    };
  }

  async onModuleInit(): Promise<void> {
    requireDeclaredRooms(this.documents, this.types);
    await this.routing.start();
  }

  /** The engine is closed last: until now commands and clean-up may need it. */
  async onApplicationShutdown(): Promise<void> {
    this.committer.close();
    this.feed.close();
    this.places.close();
    await this.rates.close();
    this.routing.close();
    this.revocations.close();
    this.engine.sessions.close();
    await this.engine.close();
  }
}
