import {
  type DynamicModule,
  Global,
  type HttpServer,
  type INestApplication,
  type LoggerService,
  type LogLevel,
  Module,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { TestingModuleBuilder } from '@nestjs/testing';
import { bindValue } from '@wss/core';
import { Readiness, useWss, WssModule, type WssOptions } from '@wss/nest';
import { NodeGivens } from '@wss/state';
import type { SharedData } from './feature-data.js';
import { installedPlatform } from './http-platform.js';

/** Modules under test, as they stand among the `imports` of an application's module. */
export type FeatureModules = readonly (Type<object> | DynamicModule)[];

/** The options of `WssModule.forRoot`, but for the place of the data; `auth` is `'none'` unless it is given. */
export type FeatureOptions = Partial<Omit<WssOptions, 'redis'>>;

/** How a {@link FeatureNode} is started. */
export interface FeatureNodeOptions {
  /** The modules under test, with the modules that they need: everything but `WssModule.forRoot`. */
  readonly features: FeatureModules;
  /**
   * Parts of `WssModule.forRoot`'s options, e.g. `{ session: { ttlMs: 2_000 } }`. Default `auth: 'none'`, and a drain
   * without a wait.
   */
  readonly options?: FeatureOptions;
  /**
   * Called with each node's application before it listens: for global pipes, a prefix, and the like, as in your
   * `main.ts`. Default nothing.
   */
  readonly setUp?: (app: INestApplication) => void | Promise<void>;
  /**
   * Called with each node's builder of Nest's testing module, to replace providers:
   * `(builder) => builder.overrideProvider(Mailer).useValue(mailer)`. It needs `@nestjs/testing`. Default nothing.
   */
  readonly override?: (builder: TestingModuleBuilder) => unknown;
  /**
   * Nest's logger, as in `NestFactory.create`, set for the whole process when the cluster starts; default errors only,
   * `['error', 'fatal']`.
   */
  readonly logger?: LoggerService | LogLevel[] | false;
  /** Makes the HTTP adapter of each node; default that of the installed platform, Express before Fastify. */
  readonly httpAdapter?: () => HttpServer;
}

/** One node inside the test's process, with nothing but the features under test. */
export class FeatureNode {
  private constructor(
    /** Its name in the cluster. */
    readonly nodeId: string,
    /** Its application, e.g. for `app.getHttpServer()`. */
    readonly app: INestApplication,
    private readonly address: string,
    private readonly path: string,
  ) {}

  /**
   * Starts a node on a free port of 127.0.0.1.
   * @throws Error that says what to do, when a feature does not boot
   */
  static async start(nodeId: string, data: SharedData, options: FeatureNodeOptions): Promise<FeatureNode> {
    const app = await create([...serverOf(nodeId, data, options.options), ...options.features], options);
    try {
      useWss(app);
      await options.setUp?.(app);
      await app.listen(0, '127.0.0.1');
      return new FeatureNode(nodeId, app, await app.getUrl(), options.options?.path ?? '/');
    } catch (error) {
      await app.close();
      throw error;
    }
  }

  /** For clients: `ws://127.0.0.1:<port>`, and the path of the options. */
  get url(): string {
    return `${this.address.replace(/^http/, 'ws')}${this.path}`;
  }

  /** For requests to controllers: `http://127.0.0.1:<port>/`. */
  get httpUrl(): string {
    return `${this.address}/`;
  }

  /**
   * A provider of the node, e.g. a feature's service, `Rooms` or `Cluster`.
   * @throws Error when no module has it
   */
  get<T>(token: Type<T> | (abstract new (...args: never[]) => T) | string | symbol): T {
    return this.app.get<T>(token as Type<T>, { strict: false });
  }

  /** Problems that keep the node from serving; empty while it serves. */
  problems(): string[] {
    return this.get(Readiness).problems();
  }

  /** Ends the node in order: its clients are closed with 1012. */
  async stop(): Promise<void> {
    await this.app.close();
  }
}

/** The server's modules: its name and data are given to it, and everything else is as in an application. */
function serverOf(nodeId: string, data: SharedData, options: FeatureOptions = {}): DynamicModule[] {
  const givens = bindValue(NodeGivens, { nodeId, ...('memory' in data && { memory: data.memory }) });
  const redis = 'redis' in data && { redis: data.redis };
  return [
    { module: GivenModule, providers: [givens], exports: [NodeGivens] },
    WssModule.forRoot({ auth: 'none', drain: { windowMs: 0 }, ...options, ...redis }),
  ];
}

async function create(
  imports: (Type<object> | DynamicModule)[],
  { override, httpAdapter, logger }: FeatureNodeOptions,
): Promise<INestApplication> {
  const http = httpAdapter ? httpAdapter() : await installedPlatform();
  const options = { forceCloseConnections: true };
  if (!override) {
    const module = { module: FeatureTest, imports };
    return NestFactory.create(module, http as never, { ...options, abortOnError: false });
  }
  const builder = (await testing()).Test.createTestingModule({ imports });
  await override(builder);
  const module = await builder.compile();
  // Nest's testing module has set a logger of its own.
  return module.createNestApplication(http as never, { ...options, logger });
}

async function testing(): Promise<typeof import('@nestjs/testing')> {
  return import('@nestjs/testing').catch((cause: unknown) => {
    throw new Error('override needs @nestjs/testing: install it', { cause });
  });
}

@Module({})
class FeatureTest {}

@Global()
@Module({})
class GivenModule {}
