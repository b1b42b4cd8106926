import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  type FactoryProvider,
  Global,
  Inject,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common';
import {
  ClientRouting,
  ClusterModule,
  ClusterRooms,
  LiveContracts,
  LostHistories,
  NodePresence,
  Presence,
  RoomFeed,
  Rooms,
  SessionExpiry,
} from '@wss/cluster';
import { bind, bindFactory, bindValue, HandlersModule, RoomTypeRegistry, SessionHooks } from '@wss/core';
import {
  Admission,
  ClientLimits,
  ClientListener,
  CommandRouter,
  Hub,
  LaneNumbers,
  MESSAGING_PROVIDERS,
  NodeIdentity,
  PeerContracts,
  RoomDelivery,
  RoomSource,
  SessionSource,
} from '@wss/messaging';
import { Committer, DocumentRegistry, RoomStore, StateModule } from '@wss/state';
import { clientGatewayAt } from './client.gateway.js';
import { Config } from '../config.js';
import { DevelopmentAdmission } from '../admission/development-admission.js';
import type { Engine } from '../engine/engine.js';
import { Origins } from '../admission/origins.js';
import { EngineWatch } from '../engine/engine-watch.js';
import { presenceProviders } from './presence-providers.js';
import { Readiness } from '../health/readiness.js';
import { StoredNumbers } from '../engine/stored-numbers.js';
import { TokenAdmission } from '../admission/token-admission.js';
import { TokenVerifier } from '../admission/token-verifier.js';

const ENGINE = Symbol('Engine');

/** Binds the ports of the client libraries to the engine's libraries. */
const PORTS: Provider[] = [
  bind(RoomSource, RoomFeed),
  bind(ClientListener, ClientRouting),
  bind(PeerContracts, LiveContracts),
];

/** Joins the libraries: clients on one side, the engine on the other. */
@Global()
@Module({})
export class CoreModule
  implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  constructor(
    @Inject(ENGINE) private readonly engine: Engine,
    private readonly routing: ClientRouting,
    private readonly feed: RoomFeed,
    private readonly presence: NodePresence,
    private readonly router: CommandRouter,
    private readonly types: RoomTypeRegistry,
  ) {}

  static with(config: Config, engine: Engine, nodeId: string): DynamicModule {
    const { keys, store, channels } = engine;
    return {
      module: CoreModule,
      imports: [
        HandlersModule,
        ClusterModule.forNode({ channels, keys, store, registry: engine.registry, jobs: engine.jobs }),
        StateModule.forRoot(bindValue(RoomStore, store), { nodeId, channels }),
      ],
      providers: [
        ...MESSAGING_PROVIDERS,
        clientGatewayAt(config.WS_PATH),
        Readiness,
        bindValue(Config, config),
        { provide: ENGINE, useValue: engine },
        bindValue(NodeIdentity, { nodeId }),
        bindFactory(Admission, [], () => admissionOf(config)),
        feedOf(engine, nodeId),
        ...presenceProviders(config, engine),
        bindFactory(
          EngineWatch,
          [Hub, Readiness, RoomTypeRegistry],
          (hub, readiness, types) => new EngineWatch({ engine, hub, readiness, types }),
        ),
        bindValue(SessionSource, engine.sessions),
        bindFactory(
          SessionExpiry,
          [SessionHooks],
          (hooks) => new SessionExpiry(engine.sessionStore, hooks, config.SESSION_TTL_MS),
        ),
        bindValue(ClientLimits, { maxRooms: config.MAX_ROOMS_PER_SESSION }),
        bindFactory(LaneNumbers, [RoomTypeRegistry], (types) => new StoredNumbers(store, types)),
        bindFactory(
          Rooms,
          [RoomFeed, Committer],
          (feed, committer) => new ClusterRooms(feed, committer, channels, keys),
        ),
        routingOf(engine, nodeId),
        ...PORTS,
      ],
      exports: [Rooms, RoomFeed, Presence, Readiness, NodeIdentity, Config, ...MESSAGING_PROVIDERS],
    };
  }

  async onModuleInit(): Promise<void> {
    await this.routing.start();
  }

  /** Before the first client comes, the other nodes know what it may send here. */
  async onApplicationBootstrap(): Promise<void> {
    this.presence.start();
    const contract = { events: this.router.contract, rooms: [...this.types.all().keys()] };
    await this.engine.registry.describe(contract);
  }

  /** Runs after the clients have gone, since the gateway is one of the providers, and before the lease is dropped. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.presence.close();
  }

  /** The engine is closed last: until now commands and clean-up may need it. */
  async onApplicationShutdown(): Promise<void> {
    this.feed.close();
    this.routing.close();
    this.engine.sessions.close();
    await this.engine.close();
  }
}

function routingOf(
  { channels, keys, sessionStore: sessions }: Engine,
  nodeId: string,
): FactoryProvider<ClientRouting> {
  return bindFactory(
    ClientRouting,
    [Hub],
    (listener) => new ClientRouting({ nodeId, channels, keys, sessions, listener }),
  );
}

function feedOf(
  { name, store, channels, keys, canBeDurable }: Engine,
  nodeId: string,
): FactoryProvider<RoomFeed> {
  return bindFactory(
    RoomFeed,
    [Committer, RoomDelivery, RoomTypeRegistry, DocumentRegistry, NodePresence, LostHistories],
    (...[committer, delivery, types, documents, presence, losses]) =>
      new RoomFeed({
        nodeId,
        store,
        channels,
        keys,
        committer,
        listener: delivery,
        presence,
        losses,
        typeOf: (room) => types.of(room),
        ...(name === 'redis' && canBeDurable && { durability: delivery }),
        emptyDocuments: (room) => new Map(documents.of(room).map(({ name, emptyJson }) => [name, emptyJson])),
      }),
  );
}

function admissionOf(config: Config): Admission {
  const origins = new Origins(config.ALLOWED_ORIGINS);
  if (config.AUTH === 'none') return new DevelopmentAdmission(origins);
  return new TokenAdmission(new TokenVerifier(config), origins);
}
