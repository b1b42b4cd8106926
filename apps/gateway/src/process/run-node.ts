import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { type INestApplication, Logger } from '@nestjs/common';
import { UnfitEngine } from '@wss/nest';
import { NoRedisCluster, RedisUnreachable } from '@wss/redis';
import { AppModule } from '../app.module.js';
import { type Config, ConfigError, loadConfig } from '../config.js';
import { Lifecycle } from './lifecycle.js';
import { createNode } from './node-app.js';
import { NodeLogger } from './node-logger.js';
import type { StopSignals } from './stop-signals.js';

/** Starts a node and prints where it is. The process ends with code 1 and the reason when it can't start. */
export async function runNode(env: NodeJS.ProcessEnv, signals: StopSignals): Promise<void> {
  let config: Config | undefined;
  try {
    config = loadConfig(env);
    await start(config, new Lifecycle(config, signals));
  } catch (error) {
    process.stderr.write(`wss: ${reasonOf(error, config)}\n`);
    process.exit(1);
  }
}

async function start(config: Config, lifecycle: Lifecycle): Promise<void> {
  const nodeId = newNodeId();
  const logger = new NodeLogger(config, nodeId);
  Logger.overrideLogger(logger);
  if (config.NODE_ENV === 'production' && config.AUTH === 'none') {
    logger.warn('AUTH=none: everybody may connect under any name; do not let strangers reach this node');
  }
  // The engine is proven here. Nothing can be reached yet, and nothing needs cleaning up if that fails.
  const app = await createNode(AppModule.with(config, nodeId), { logger });
  await lifecycle.start(app, [
    () => app.listen(config.SERVER_PORT, config.SERVER_HOST),
    () => announce(app, config, nodeId),
  ]);
}

/** The reason of a failed start, without a stack if the message says enough. */
function reasonOf(error: unknown, config?: Config): string {
  if (!(error instanceof Error)) return String(error);
  const { code, port } = error as NodeJS.ErrnoException & { port?: number };
  if (code === 'EADDRINUSE') {
    const name = port === config?.MANAGEMENT_PORT ? 'MANAGEMENT_PORT' : 'SERVER_PORT';
    return `${error.message}: another process has the port of ${name}; choose another one, or set 0 for a free one`;
  }
  const known = [ConfigError, NoRedisCluster, RedisUnreachable, UnfitEngine].some(
    (type) => error instanceof type,
  );
  return known ? error.message : (error.stack ?? error.message);
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
