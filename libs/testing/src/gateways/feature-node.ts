import type { DynamicModule, INestApplication, Type } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { loadConfig } from '../../../../apps/gateway/src/config.js';
import { CoreModule } from '../../../../apps/gateway/src/assembly/core.module.js';
import { type Engine, memoryEngine, openEngine } from '../../../../apps/gateway/src/engine/engine.js';
import { createNode } from '../../../../apps/gateway/src/assembly/node-app.js';
import { Readiness } from '../../../../apps/gateway/src/health/readiness.js';
import { MemoryEngine } from '@wss/state';
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
    const engine = await open();
    const imports = [CoreModule.with(config, engine, nodeId), ...options.features];
    const app = await createNode({ module: FeatureTest, imports }).catch(async (error: unknown) => {
      await engine.close();
      throw error;
    });
    try {
      await app.startAllMicroservices();
      await app.listen(0, '127.0.0.1');
      return new FeatureNode(nodeId, app, await app.getUrl());
    } catch (error) {
      await app.close();
      throw error;
    }

    function open(): Promise<Engine> {
      if ('redis' in data) return openEngine(config, nodeId);
      return memoryEngine(data.memory, config, nodeId);
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
    return this.app.get(Readiness).problems();
  }

  /** Ends the node in order: its clients are closed with 1012. */
  async stop(): Promise<void> {
    await this.app.close();
  }
}

@Module({})
class FeatureTest {}
