import { Logger } from '@nestjs/common';
import { settledWithin } from '@wss/protocol';
import type { Redis } from 'ioredis';
import type { LinkReport } from '../server/link-report.js';
import type { LuaScript } from './lua-script.js';
import { type LinkSettings, PatientRedis } from './patient-redis.js';
import type { ProcessHold } from './process-hold.js';
import { describeAddress, describeTarget, type RedisAddress, type RedisTarget } from './redis-target.js';
import { Sentinels } from './sentinels.js';

/** How long a start waits for Redis, ms. */
export const CONNECT_WITHIN_MS = 10_000;

/** How a node connects to Redis. */
export interface RedisLinkOptions {
  readonly target: RedisTarget;
  /** Time after which a command without an answer fails, ms. Default 700, and 2,000 for big answers. */
  readonly commandTimeoutMs?: number;
  /** How long to wait for Redis at start, ms. Default {@link CONNECT_WITHIN_MS}. */
  readonly connectWithinMs?: number;
  /** Waits for replicas. Default no. */
  readonly withFence?: boolean;
  /** Maps the address that a cluster's server announces to the one at which it is reached; default: no change. */
  readonly translate?: (address: RedisAddress) => RedisAddress;
  /** Decides if the links keep the process alive. Default: they do. */
  readonly hold?: ProcessHold;
  /** Reports links that are lost and back. Default: nobody does. */
  readonly report?: LinkReport;
  /** Scripts to load on every new connection, so that calls by hash do not miss. */
  readonly scripts?: readonly LuaScript<unknown>[];
}

/** Purpose of a link; servers show it in CLIENT LIST as `wss-<role>`. */
export type LinkRole = 'commands' | 'reads' | 'subscriber' | 'fence' | 'seed';

/** How long a command waits for its answer, ms. */
const COMMAND_TIMEOUT_MS = 700;
/** The same for a big answer: within this time a slow link still brings all answers that are requested at a time. */
const READ_TIMEOUT_MS = 2_000;

/** Creates a link to the server, or to the one that sentinels or a cluster name; {@link firstReady} connects it. */
export function openLink(options: RedisLinkOptions, role: LinkRole, to: Sentinels | RedisAddress): Redis {
  const { username, password, db, tls } = options.target;
  const settings: LinkSettings = {
    db,
    ...(username && { username }),
    ...(password && { password }),
    ...(tls && { tls: {} }),
    connectionName: `wss-${role}`,
    lazyConnect: true,
    // A reply that was lost with its connection must not make the driver apply the command again.
    autoResendUnfulfilledCommands: false,
    connectTimeout: 2_000,
    maxLoadingRetryTime: 200,
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    // The subscriber subscribes again itself, and knows when that is confirmed.
    autoResubscribe: false,
    // A failover leaves this connection on a replica; only a new one finds the master.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    retryStrategy: (attempt) => Math.random() * Math.min(2_000, 50 * 2 ** Math.min(attempt, 6)) + 20,
  };
  const timeoutMs = options.commandTimeoutMs ?? (role === 'reads' ? READ_TIMEOUT_MS : COMMAND_TIMEOUT_MS);
  const redis =
    to instanceof Sentinels
      ? to.open(settings, timeoutMs)
      : new PatientRedis({ ...settings, ...to }, timeoutMs);
  options.hold?.add(redis);
  const where = to instanceof Sentinels ? describeTarget(options.target) : describeAddress(to);
  options.report?.follow(redis, role, where);
  return redis;
}

/**
 * Connects a link and waits until it serves.
 * @throws RedisUnreachable with a remedy when that takes too long
 */
export async function firstReady(
  redis: Redis,
  { target, connectWithinMs = CONNECT_WITHIN_MS }: RedisLinkOptions,
): Promise<void> {
  let last = 'no answer';
  const remember = (error: Error): void => {
    last = error.message || (error as NodeJS.ErrnoException).code || last;
  };
  redis.on('error', remember);
  const ready = new Promise<void>((resolve) => redis.once('ready', resolve));
  redis.connect().catch(remember);
  try {
    if (await settledWithin(ready, connectWithinMs)) return;
    throw outOfReach(target, connectWithinMs, last);
  } finally {
    redis.off('error', remember);
  }
}

/** Redis did not answer in time; the message has its address and the remedy. */
export class RedisUnreachable extends Error {}

/** The reason for which a node can't start, and the remedy. */
export function outOfReach(target: RedisTarget, afterMs: number, reason: string): RedisUnreachable {
  const remedy = 'start Redis, correct its address, or give none to use the embedded engine';
  return new RedisUnreachable(
    `Redis at ${describeTarget(target)} is out of reach after ${afterMs} ms (${reason}): ${remedy}`,
  );
}

/** Loads the scripts that will be called by their hashes into a server. */
export function preload(redis: Redis, scripts: readonly LuaScript<unknown>[]): void {
  for (const script of scripts) {
    redis.script('LOAD', script.source).catch((error: Error) => {
      new Logger('RedisLinks').warn(`a script could not be preloaded: ${error.message}`);
    });
  }
}
