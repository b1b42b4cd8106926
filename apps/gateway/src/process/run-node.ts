import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { type INestApplication, Logger } from '@nestjs/common';
import { NodeFacts, UnfitEngine } from '@wss/nest';
import { MetricsServer } from '@wss/nest/metrics';
import { NoRedisCluster, RedisUnreachable } from '@wss/redis';
import { AppModule, showsContract, showsDemo, showsMetrics } from '../app.module.js';
import { addressesOf, type Config } from '../config.js';
import { ConfigError, loadConfig } from '../load-config.js';
import type { HttpAdapter } from './http-adapter.js';
import type { JsonOutput } from './json-output.js';
import { KeptEngine } from './kept-engine.js';
import { Lifecycle } from './lifecycle.js';
import { createNode } from './node-app.js';
import { NodeLogger } from './node-logger.js';
import { type NodePlaces, summaryOf, urlOf } from './node-summary.js';
import type { StopSignals } from './stop-signals.js';

/** Things that a process has before it loads anything else. */
export interface ProcessBasics {
  readonly signals: StopSignals;
  /** Absent: output is for people. */
  readonly output: JsonOutput | undefined;
}

/** Starts a node and prints where it is. The process ends with code 1 and the reason when it can't start. */
export async function runNode(env: NodeJS.ProcessEnv, { signals, output }: ProcessBasics): Promise<void> {
  const nodeId = newNodeId();
  if (output) output.nodeId = nodeId;
  const starting: Starting = { nodeId, signals };
  try {
    await start((starting.config = loadConfig(env)), starting);
  } catch (error) {
    // A start that failed has changed nothing: the next one gets the same data.
    starting.kept?.keep();
    process.stderr.write(`wss: ${reasonOf(error, starting.config)}\n`);
    process.exit(1);
  }
}

/** The parts of a start so far. */
interface Starting {
  readonly nodeId: string;
  readonly signals: StopSignals;
  config?: Config;
  kept?: KeptEngine;
}

async function start(config: Config, starting: Starting): Promise<void> {
  const { nodeId, signals } = starting;
  const logger = new NodeLogger(config, nodeId);
  Logger.overrideLogger(logger);
  const kept = config.ENGINE_FILE === undefined ? undefined : KeptEngine.open(config.ENGINE_FILE);
  if (kept) starting.kept = kept;
  const lifecycle = new Lifecycle(config, signals, () => kept?.keep());
  // The engine is proven here. Nothing can be reached yet, and nothing needs cleaning up if that fails.
  const app = await createNode(AppModule.with(config, nodeId, kept?.engine), { logger });
  let places: NodePlaces;
  await lifecycle.start(app, [
    async () => void (places = await listen(app, config)),
    () => {
      const facts = app.get(NodeFacts, { strict: false });
      const summary = config.SUMMARY === 'full' ? summaryOf(facts, config, places) : undefined;
      logger.announce(`wss node ${nodeId} is ready: ${urlOf(places)}`, summary);
    },
  ]);
}

async function listen(app: INestApplication, config: Config): Promise<NodePlaces> {
  const [first, second] = addressesOf(config);
  await app.listen(config.SERVER_PORT, first);
  const { port } = app.getHttpServer().address() as AddressInfo;
  const addresses = [first];
  if (second !== undefined && (await listenToo(app, config, { port, host: second }))) addresses.push(second);
  const metrics = showsMetrics(config) ? app.get(MetricsServer, { strict: false }).url : undefined;
  return { addresses, port, metrics, showsPage: showsDemo(config), showsContract: showsContract(config) };
}

/** A second address is the name `localhost` of most programs: another process there would be taken for this one. */
async function listenToo(
  app: INestApplication,
  { SERVER_PORT }: Config,
  { port, host }: { readonly port: number; readonly host: string },
): Promise<boolean> {
  try {
    return await (app.getHttpAdapter() as HttpAdapter).listenToo(port, host);
  } catch (error) {
    // Nobody expects this node at a port that it chose by chance.
    if (SERVER_PORT === 0 && (error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
}

/** The remedy for each reason that a server can't listen. */
const REMEDIES: Readonly<Record<string, (port: string) => string>> = {
  EADDRINUSE: (port) =>
    `another process has the port of ${port}; choose another one, or set 0 for a free one`,
  EACCES: (port) => `this user may not listen on the port of ${port}; choose one above 1023`,
  EADDRNOTAVAIL: () => 'this machine has no such address; see SERVER_HOST',
  ENOTFOUND: () => 'no address has this name; see SERVER_HOST',
  EAI_AGAIN: () => 'no address is known for this name; see SERVER_HOST',
};

/** The reason of a failed start, without a stack if the message says enough. */
function reasonOf(error: unknown, config?: Config): string {
  if (!(error instanceof Error)) return String(error);
  const { code, port, syscall = '' } = error as NodeJS.ErrnoException & { port?: number };
  const remedy = /^(listen|getaddrinfo)$/.test(syscall) ? REMEDIES[code ?? ''] : undefined;
  if (remedy) {
    const name = port === config?.MANAGEMENT_PORT ? 'MANAGEMENT_PORT' : 'SERVER_PORT';
    return `${error.message}: ${remedy(name)}`;
  }
  const known = [ConfigError, NoRedisCluster, RedisUnreachable, UnfitEngine].some(
    (type) => error instanceof type,
  );
  return known ? error.message : (error.stack ?? error.message);
}

function newNodeId(): string {
  return randomBytes(6).toString('base64url').replace(/[-_]/g, 'x');
}
