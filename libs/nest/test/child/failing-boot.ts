/**
 * An application whose start fails in one of several ways. It catches the error, prints it, and closes nothing: then
 * the process has to end by itself. Or a worker, which has to stay.
 */
import { createServer, type AddressInfo } from 'node:net';
import {
  type DynamicModule,
  type INestApplication,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Cluster, Rooms, useWss, WssModule } from '@wss/nest';
import { WssMetricsModule } from '../../src/metrics/index.js';

const { CASE: way, PLATFORM: platform, REDIS_SERVER: redis } = process.env;

@Injectable()
class Constructed {
  constructor(rooms: Rooms) {
    if (rooms) throw new Error('a constructor failed');
  }
}

@Injectable()
class Initialized implements OnModuleInit {
  constructor(private readonly cluster: Cluster) {}

  async onModuleInit(): Promise<void> {
    // Nothing but the answer keeps the process alive meanwhile.
    const nodes = await this.cluster.nodes();
    throw new Error(`onModuleInit failed with ${nodes.length} nodes`);
  }
}

@Injectable()
class Bootstrapped implements OnApplicationBootstrap {
  async onApplicationBootstrap(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    throw new Error('onApplicationBootstrap failed');
  }
}

@Injectable()
class Whole {}

const PROVIDERS: Readonly<Record<string, Type<object>>> = {
  constructor: Constructed,
  init: Initialized,
  bootstrap: Bootstrapped,
};

function appModule(): DynamicModule {
  const node = WssModule.forRoot({ auth: 'none', ...(redis && { redis }) });
  @Module({ providers: [PROVIDERS[way!] ?? Whole] })
  class FeatureModule {}
  @Module({})
  class AppModule {}
  return {
    module: AppModule,
    imports: [node, WssMetricsModule.forRoot({ server: { port: 0 } }), FeatureModule],
  };
}

async function create(): Promise<INestApplication> {
  const http = platform === 'express' ? new ExpressAdapter() : new FastifyAdapter();
  return NestFactory.create(appModule(), http, { abortOnError: false, logger: ['error'] });
}

/** A worker without an HTTP server, which does nothing but wait for events and jobs. */
async function startWorker(): Promise<void> {
  const context = await NestFactory.createApplicationContext(appModule(), {
    abortOnError: false,
    logger: false,
  });
  context.enableShutdownHooks();
  // It fires only if something else keeps the process alive.
  setTimeout(() => console.log('waiting for work'), 500).unref();
}

async function start(): Promise<void> {
  if (way === 'worker') return startWorker();
  const app = useWss(await create());
  if (way === 'port') return listenTwice(app);
  await app.listen(0, '127.0.0.1');
}

/** A port that is taken, and then, if the test asks for it, one that is not. */
async function listenTwice(app: INestApplication): Promise<void> {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo;
  try {
    await app.listen(port, '127.0.0.1');
  } finally {
    taken.close();
  }
}

try {
  await start();
  console.log('started');
} catch (error) {
  console.log(`failed: ${(error as Error).message}`);
}
