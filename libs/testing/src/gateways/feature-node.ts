import type { DynamicModule, INestApplication, Type } from '@nestjs/common';
import { Global, Module } from '@nestjs/common';
import { loadConfig } from '../../../../apps/gateway/src/config.js';
import { createNode } from '../../../../apps/gateway/src/process/node-app.js';
import { wssOptionsOf } from '../../../../apps/gateway/src/wss-options.js';
import { bindValue } from '@wss/core';
import { Readiness, WssModule } from '@wss/nest';
import { MemoryEngine, NodeGivens } from '@wss/state';
import { type KeptState, keptState, type KeptStateOptions } from './kept-state.js';

/** Modules under test, as they stand in the gateway's list of features. */
export type FeatureModules = readonly (Type<object> | DynamicModule)[];

/** Options of a {@link FeatureNode}. */
export interface FeatureNodeOptions {
  readonly features: FeatureModules;
  /** Variables of its configuration. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Where the nodes of a test keep their data: an engine of this process, or the Redis behind an URL. */
export type SharedData = { readonly memory: MemoryEngine } | { readonly redis: string };

/** A data store for nodes of this process. */
export function newMemory(): MemoryEngine {
  return new MemoryEngine();
}

/** One gateway node inside the test's process, with nothing but the features under test. */
export class FeatureNode {
  private constructor(
    readonly nodeId: string,
    private readonly app: INestApplication,
    private readonly address: string,
  ) {}

  /** @throws Error that says what to do, when a feature does not boot. */
  static async start(nodeId: string, data: SharedData, options: FeatureNodeOptions): Promise<FeatureNode> {
    const redis = 'redis' in data ? { REDIS_SERVER: data.redis } : {};
    const config = loadConfig({ AUTH: 'none', ...redis, ...options.env });
    const givens = GivenModule.with({ nodeId, ...('memory' in data && { memory: data.memory }) });
    const imports = [givens, WssModule.forRoot(wssOptionsOf(config)), ...options.features];
    const app = await createNode({ module: FeatureTest, imports });
    try {
      await app.listen(0, '127.0.0.1');
      return new FeatureNode(nodeId, app, await app.getUrl());
    } catch (error) {
      await app.close();
      throw error;
    }
  }

  /** For clients: `ws://127.0.0.1:<port>/`. */
  get url(): string {
    return `${this.address.replace(/^http/, 'ws')}/`;
  }

  /** A provider of the node, e.g. a feature's service or `Rooms`. */
  get<T>(token: Type<T> | (abstract new (...args: never[]) => T)): T {
    return this.app.get<T>(token as Type<T>, { strict: false });
  }

  /** How much everything that the node's application holds, its WebSocket servers included, keeps now. */
  kept(options?: KeptStateOptions): KeptState {
    return keptState(this.app, options);
  }

  /** Problems that keep the node from serving; empty while it serves. */
  problems(): string[] {
    return this.app.get(Readiness, { strict: false }).problems();
  }

  /** Ends the node in order: its clients are closed with 1012. */
  async stop(): Promise<void> {
    await this.app.close();
  }
}

@Module({})
class FeatureTest {}

/** Gives the node its name and the data that it shares. */
@Global()
@Module({})
class GivenModule {
  static with(givens: NodeGivens): DynamicModule {
    return { module: GivenModule, providers: [bindValue(NodeGivens, givens)], exports: [NodeGivens] };
  }
}
