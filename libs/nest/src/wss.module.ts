import {
  type Abstract,
  type DynamicModule,
  type FactoryProvider,
  Module,
  type ModuleMetadata,
  Optional,
  type Provider,
  type Type,
} from '@nestjs/common';
import {
  Cluster,
  ClusterPresence,
  ClusterRooms,
  ClusterSessions,
  ClusterUsers,
  NodeCluster,
  Presence,
  Rooms,
  Sessions,
  Users,
} from '@wss/cluster';
import { bind, bindFactory } from '@wss/core';
import { Committer, DocumentRegistry, RoomStore, SharedState, StateModule } from '@wss/state';
import { CoreModule } from './assembly/core.module.js';
import { DoorModule } from './assembly/door.module.js';
import { EngineModule } from './engine/engine.module.js';
import { NodeReadiness, Readiness } from './health/readiness.js';
import { refuseCopies } from './loaded-copies.js';
import type { WssOptions } from './options/wss-options.js';
import { settingsOf, WssSettings } from './options/wss-settings.js';

/** Options of `WssModule` that are made of other providers. */
export interface WssAsyncOptions {
  /** Modules whose exports the factory, and a class in `auth: { use }`, may inject. Default none. */
  readonly imports?: ModuleMetadata['imports'];
  /** Tokens of the factory's arguments, in order. Default none. */
  readonly inject?: FactoryProvider['inject'];
  readonly useFactory: FactoryProvider<WssOptions>['useFactory'];
}

/**
 * A node of a WebSocket cluster inside this application. Import it once, in the root module, by {@link forRoot} or
 * {@link forRootAsync}, and call `useWss(app)`. Every module can inject `Rooms`, `Presence`, `Users`, `Sessions`,
 * `Cluster` and `Readiness`; a module with documents imports {@link forFeature}.
 *
 * It reads no environment variable but `NODE_ENV`: in production it warns of options that are not safe. It handles no signals and never ends the process. When the application closes, it
 * lets its clients go as the option `drain` says.
 */
@Module({})
export class WssModule {
  constructor(@Optional() settings?: WssSettings) {
    if (settings) return;
    throw new Error(
      'WssModule was imported as it is: import WssModule.forRoot(…) instead, in the root module',
    );
  }

  /** The options are checked when the application is created. */
  static forRoot(options: WssOptions): DynamicModule {
    return nodeOf(bindFactory(WssSettings, [], () => settingsOf(options)));
  }

  /** Like {@link forRoot}, with options that a factory makes when the application is created. */
  static forRootAsync({ imports = [], inject = [], useFactory }: WssAsyncOptions): DynamicModule {
    const tokens = inject as readonly Abstract<unknown>[];
    const settings = bindFactory(WssSettings, tokens, async (...parts) =>
      settingsOf(await useFactory(...parts)),
    );
    return nodeOf(settings, imports);
  }

  /** Makes the repositories of these document classes injectable: `@InjectState(Poll)`. */
  static forFeature(documents: readonly Type<object>[]): DynamicModule {
    refuseCopies();
    return StateModule.forFeature(documents);
  }
}

function nodeOf(
  settings: Provider<WssSettings>,
  imports: NonNullable<ModuleMetadata['imports']> = [],
): DynamicModule {
  refuseCopies();
  const engine = EngineModule.with(settings, imports);
  const core = CoreModule.with(engine, imports);
  const door = DoorModule.with(engine, core);
  return {
    module: WssModule,
    global: true,
    imports: [engine, core, door],
    providers: [
      bind(Rooms, ClusterRooms),
      bind(Presence, ClusterPresence),
      bind(Users, ClusterUsers),
      bind(Sessions, ClusterSessions),
      bind(Cluster, NodeCluster),
      bind(Readiness, NodeReadiness),
      bindFactory(SharedState, [RoomStore, Committer, DocumentRegistry], (store, committer, documents) => ({
        store,
        committer,
        documents,
      })),
    ],
    exports: [Rooms, Presence, Users, Sessions, Cluster, Readiness, SharedState],
  };
}
