import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { ConsoleLogger, type INestApplication, Logger } from '@nestjs/common';
import { AppModule } from './app.module.js';
import { type Config, ConfigError } from './config.js';
import { openEngine } from './engine.js';
import { Lifecycle } from './lifecycle.js';
import { createNode } from './node-app.js';

/** Starts a node and prints where it is; it ends with the process. */
export async function runNode(config: Config): Promise<INestApplication> {
  const logger = new ConsoleLogger({ json: config.NODE_ENV === 'production' });
  Logger.overrideLogger(logger);
  if (config.NODE_ENV === 'production' && config.AUTH === 'none') {
    logger.warn('AUTH=none: everybody may connect under any name; do not let strangers reach this node');
  }
  const lifecycle = new Lifecycle(config);
  const nodeId = newNodeId();
  const engine = await openEngine(config, nodeId);
  const app = await createNode(AppModule.with(config, engine, nodeId), { logger });
  lifecycle.attach(app);
  await app.startAllMicroservices();
  await app.listen(config.SERVER_PORT, config.SERVER_HOST);
  announce(app, config, nodeId);
  return app;
}

/** Prints why the node can't start, without a stack where the message says it all, and exits 1. */
export function fail(error: unknown): never {
  const text =
    error instanceof ConfigError || !(error instanceof Error)
      ? String(error)
      : (error.stack ?? error.message);
  process.stderr.write(`wss: ${error instanceof ConfigError ? error.message : text}\n`);
  process.exit(1);
}

function newNodeId(): string {
  return randomBytes(6).toString('base64url').replace(/[-_]/g, 'x');
}

/** These lines are for people and for tests; everything else goes through the logger. */
function announce(app: INestApplication, { WS_PATH }: Config, nodeId: string): void {
  const { port } = app.getHttpServer().address() as AddressInfo;
  process.stdout.write(`wss node ${nodeId} is ready: http://127.0.0.1:${port}/\n`);
  process.stdout.write(`try it: npx wscat -c 'ws://127.0.0.1:${port}${WS_PATH}?user=ann'\n`);
}
