import { randomBytes } from 'node:crypto';
import { type DynamicModule, Injectable, Module, Optional, type Provider } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { bind, bindFactory } from '@wss/core';
import { NodeIdentity } from '@wss/messaging';
import { NodeGivens } from '@wss/state';
import { NodeReadiness } from '../health/readiness.js';
import { WssSettings } from '../options/wss-settings.js';
import { EngineObserver } from './engine-observer.js';
import { Engine, openEngine } from './engine.js';

/** This incarnation of the node: a name that was given, or a new one. */
@Injectable()
class OwnIdentity extends NodeIdentity {
  readonly nodeId: string;

  constructor(@Optional() givens?: NodeGivens) {
    super();
    this.nodeId = givens?.nodeId ?? randomBytes(6).toString('base64url').replace(/[-_]/g, 'x');
  }
}

/** Parts of the engine that other modules may provide. */
@Injectable()
class EngineExtras {
  /** @throws Error when the application would open two engines */
  constructor(
    modules: ModulesContainer,
    @Optional() readonly observer?: EngineObserver,
    @Optional() readonly givens?: NodeGivens,
  ) {
    if ([...modules.values()].filter(({ metatype }) => metatype === EngineModule).length === 1) return;
    throw new Error(
      'WssModule.forRoot(…) is imported more than once: import it in the root module only; Rooms, Presence, Cluster and repositories can be injected in every module',
    );
  }
}

/** The node's settings, its name, its engine and its readiness. */
@Module({})
export class EngineModule {
  static with(
    settings: Provider<WssSettings>,
    imports: NonNullable<DynamicModule['imports']>,
  ): DynamicModule {
    return {
      module: EngineModule,
      imports,
      providers: [
        settings,
        EngineExtras,
        OwnIdentity,
        bind(NodeIdentity, OwnIdentity),
        NodeReadiness,
        bindFactory(
          Engine,
          [WssSettings, NodeIdentity, EngineExtras],
          (settings, { nodeId }, { observer, givens }) => {
            return openEngine({ settings, nodeId, observer, memory: givens?.memory });
          },
        ),
      ],
      exports: [WssSettings, NodeIdentity, NodeReadiness, Engine, EngineExtras],
    };
  }
}
