import { connect as connectPlain } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Logger } from '@nestjs/common';
import { AbstractConnector, type Redis, type RedisOptions } from 'ioredis';
import type { ProcessHold } from './process-hold.js';
import { type LinkSettings, PatientRedis } from './patient-redis.js';
import { describeAddress, type RedisAddress, type RedisTarget } from './redis-target.js';

/** How long one sentinel may take to answer, ms. */
const ANSWER_MS = 1_000;
/** How often the links are compared with the master that the sentinels name, ms. */
const WATCH_MS = 1_000;

interface KnownMaster {
  readonly address: RedisAddress;
  /** Grows with each failover. */
  readonly configEpoch: number;
}

/** A link to the master, and where it leads. */
interface MasterLink {
  readonly redis: Redis;
  address?: RedisAddress;
}

/**
 * Finds the master by its sentinels, and moves links that lead to a former one.
 *
 * All sentinels are asked, and the one that knows of the latest failover is believed: a sentinel that was cut off for
 * a while would lead back to the old master.
 */
export class Sentinels {
  private readonly logger = new Logger(Sentinels.name);
  private readonly clients: readonly Redis[];
  private readonly links: MasterLink[] = [];
  private readonly timer: NodeJS.Timeout;
  private looking = false;
  /** The master that the last line named. */
  private told?: string;

  constructor(
    private readonly target: RedisTarget,
    private readonly hold?: ProcessHold,
  ) {
    this.clients = target.hosts.map((address) => this.openSentinel(address));
    this.timer = setInterval(() => void this.look(), WATCH_MS).unref();
  }

  /** Opens a link that always leads to the master; the caller connects it. */
  open(options: LinkSettings, timeoutMs: number): Redis {
    const opened = (address: RedisAddress): void => void (link.address = address);
    const { tls } = this.target;
    const Connector = connectorOf({ find: () => this.find(), opened, tls });
    const link: MasterLink = { redis: new PatientRedis({ ...options, Connector }, timeoutMs) };
    this.links.push(link);
    return link.redis;
  }

  /**
   * Where the master is.
   * @throws Error when no sentinel answers, or none knows a master of that name
   */
  async find(): Promise<RedisAddress> {
    const answers = await Promise.allSettled(this.clients.map((client) => this.ask(client)));
    const findings = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
    const [latest] = findings.sort((a, b) => b.configEpoch - a.configEpoch);
    if (latest) return latest.address;
    const reasons = answers.flatMap((answer) =>
      answer.status === 'rejected' ? [(answer.reason as Error).message] : [],
    );
    throw new Error(`no sentinel tells where the master "${this.target.master}" is (${reasons.join('; ')})`);
  }

  close(): void {
    clearInterval(this.timer);
    for (const client of this.clients) if (client.status !== 'end') client.disconnect();
  }

  private async ask(client: Redis): Promise<KnownMaster> {
    const name = this.target.master!;
    const [address, master] = (await Promise.all([
      client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name),
      client.call('SENTINEL', 'MASTER', name),
    ])) as [[string, string] | null, string[]];
    if (!address) throw new Error(`it knows no master "${name}"`);
    const configEpoch = Number(master[master.indexOf('config-epoch') + 1]);
    return { address: { host: address[0], port: Number(address[1]) }, configEpoch };
  }

  private async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    try {
      const master = describeAddress(await this.find());
      for (const { redis, address } of this.links) {
        if (redis.status !== 'ready' || !address || describeAddress(address) === master) continue;
        if (this.told !== master)
          this.logger.warn(
            `the master is at ${master} now; the links to ${describeAddress(address)} are replaced`,
          );
        this.told = master;
        redis.disconnect(true);
      }
    } catch (error) {
      this.logger.debug((error as Error).message);
    }
    this.looking = false;
  }

  private openSentinel(address: RedisAddress): Redis {
    const settings: LinkSettings = {
      ...address,
      connectionName: 'wss-sentinel',
      ...(this.target.tls && { tls: {} }),
      connectTimeout: ANSWER_MS,
      // A question that can't be asked now need not be asked later.
      maxRetriesPerRequest: 0,
      enableReadyCheck: false,
      retryStrategy: (attempt) => Math.random() * Math.min(2_000, 50 * 2 ** Math.min(attempt, 6)) + 20,
    };
    const client = new PatientRedis(settings, ANSWER_MS);
    this.hold?.add(client);
    client.on('error', (error: Error) =>
      this.logger.debug(`sentinel ${describeAddress(address)}: ${error.message}`),
    );
    return client;
  }
}

interface ConnectorOptions {
  readonly find: () => Promise<RedisAddress>;
  readonly opened: (address: RedisAddress) => void;
  readonly tls: boolean;
}

/** The driver takes a class of connectors; each connection asks for the master again. */
function connectorOf({ find, opened, tls }: ConnectorOptions): NonNullable<RedisOptions['Connector']> {
  return class MasterConnector extends AbstractConnector {
    constructor(options: unknown) {
      super((options as { disconnectTimeout: number }).disconnectTimeout);
    }

    async connect(): Promise<AbstractConnector['stream']> {
      this.connecting = true;
      const address = await find();
      if (!this.connecting) throw new Error('Connection is closed.');
      opened(address);
      this.stream = tls ? connectTls(address) : connectPlain(address);
      this.stream.once('error', (error: Error) => void (this.firstError = error));
      return this.stream;
    }

    /** A server that was demoted meanwhile is of no use. */
    override check(info: { role?: string } | undefined): boolean {
      return info?.role === undefined || info.role === 'master';
    }
  };
}
