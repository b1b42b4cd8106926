import { Logger } from '@nestjs/common';
import { Redis, type RedisOptions } from 'ioredis';
import type { LuaScript } from './lua-script.js';
import { describeTarget, type RedisTarget } from './redis-target.js';
import { Sentinels } from './sentinels.js';

/** How a node connects to Redis. */
export interface RedisLinkOptions {
  readonly target: RedisTarget;
  /** A command without an answer fails after this long, ms. Default 700. */
  readonly commandTimeoutMs?: number;
  /** How long to wait for Redis at start, ms. Default 10,000. */
  readonly connectWithinMs?: number;
  /** Whether replicas are waited for. Default no. */
  readonly withFence?: boolean;
  /** Loaded on every new connection, so that calls by hash do not miss. */
  readonly scripts?: readonly LuaScript<unknown>[];
}

/** Redis did not answer in time; the message says where it was sought and what to do. */
export class RedisUnreachable extends Error {}

/**
 * A node's connections to one Redis server, which may be the master that sentinels know: one for commands, one for
 * subscriptions.
 *
 * Both reconnect for ever, with jitter. No command is ever sent twice by the driver, none queues while the link
 * is down, and each fails within its time-out: whoever calls decides what a missing answer means.
 */
export class RedisLinks {
  private constructor(
    readonly commands: Redis,
    readonly subscriber: Redis,
    /** Only where replicas are waited for: WAIT blocks its connection. */
    readonly fence?: Redis,
    private readonly sentinels?: Sentinels,
  ) {}

  /**
   * Connects both links.
   * @throws RedisUnreachable with a remedy when Redis can't be reached in time.
   */
  static async connect(options: RedisLinkOptions): Promise<RedisLinks> {
    const sentinels = options.target.kind === 'sentinel' ? new Sentinels(options.target) : undefined;
    const openLink = (role: string): Redis => open(options, role, sentinels);
    const fence = options.withFence ? openLink('fence') : undefined;
    const links = new RedisLinks(openLink('commands'), openLink('subscriber'), fence, sentinels);
    const scripts = options.scripts ?? [];
    links.commands.on('ready', () => preload(links.commands, scripts));
    try {
      await Promise.all(links.all().map((redis) => firstReady(redis, options)));
    } catch (error) {
      await links.close();
      throw error;
    }
    return links;
  }

  /** What is wrong with the links; nothing while both are up. */
  problem(): string | undefined {
    const links = this.all();
    const down = links.filter(({ status }) => status !== 'ready');
    return down.length === 0 ? undefined : `Redis: ${down.length} of ${links.length} links are down`;
  }

  private all(): Redis[] {
    return this.fence ? [this.commands, this.subscriber, this.fence] : [this.commands, this.subscriber];
  }

  /** Closes both links for good; commands under way fail as `unknown`. */
  async close(): Promise<void> {
    this.sentinels?.close();
    // On a link that has ended already, ioredis would start a timer.
    for (const redis of this.all()) if (redis.status !== 'end') redis.disconnect();
    await Promise.resolve();
  }
}

function open(options: RedisLinkOptions, role: string, sentinels?: Sentinels): Redis {
  const { hosts, username, password, db, tls } = options.target;
  const settings: RedisOptions = {
    db,
    ...(username && { username }),
    ...(password && { password }),
    ...(tls && { tls: {} }),
    connectionName: `wss-${role}`,
    lazyConnect: true,
    // A reply that was lost with its connection must not make the driver apply the command again.
    autoResendUnfulfilledCommands: false,
    commandTimeout: options.commandTimeoutMs ?? 700,
    connectTimeout: 2_000,
    maxLoadingRetryTime: 200,
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    // Whoever subscribed subscribes again and knows when that is confirmed.
    autoResubscribe: false,
    // A failover leaves this connection on a replica; only a new one finds the master.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    retryStrategy: (attempt) => Math.random() * Math.min(2_000, 50 * 2 ** Math.min(attempt, 6)) + 20,
  };
  const redis = sentinels ? sentinels.open(settings) : new Redis({ ...settings, ...hosts[0]! });
  reportChanges(redis, role, describeTarget(options.target));
  return redis;
}

/** One line when a link is lost and one when it is back, however often it retries in between. */
function reportChanges(redis: Redis, role: string, where: string): void {
  const logger = new Logger(RedisLinks.name);
  let lost = false;
  redis.on('ready', () => {
    if (lost) logger.log(`the ${role} link to ${where} is back`);
    lost = false;
  });
  redis.on('close', () => {
    if (!lost && redis.status !== 'end') logger.warn(`the ${role} link to ${where} is lost; reconnecting`);
    lost = true;
  });
  redis.on('error', (error: Error) => logger.debug(`${role} link: ${error.message}`));
}

async function firstReady(
  redis: Redis,
  { target, connectWithinMs = 10_000 }: RedisLinkOptions,
): Promise<void> {
  let last = 'no answer';
  const remember = (error: Error): void => {
    last = error.message || (error as NodeJS.ErrnoException).code || last;
  };
  redis.on('error', remember);
  const ready = new Promise<void>((resolve) => redis.once('ready', resolve));
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const remedy = 'start Redis, correct REDIS_SERVER, or unset it to use the embedded engine';
      reject(
        new RedisUnreachable(
          `Redis at ${describeTarget(target)} is out of reach after ${connectWithinMs} ms (${last}): ${remedy}`,
        ),
      );
    }, connectWithinMs);
  });
  redis.connect().catch(remember);
  try {
    await Promise.race([ready, timeout]);
  } finally {
    clearTimeout(timer);
    redis.off('error', remember);
  }
}

function preload(redis: Redis, scripts: readonly LuaScript<unknown>[]): void {
  for (const script of scripts) {
    redis.script('LOAD', script.source).catch((error: Error) => {
      new Logger(RedisLinks.name).warn(`a script could not be preloaded: ${error.message}`);
    });
  }
}
