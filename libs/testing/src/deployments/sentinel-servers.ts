import { eventually } from '../waiting/eventually.js';
import { RedisServer, type RedisServerOptions } from '../servers/redis-server.js';
import { replicasInStep } from '../servers/replicas-in-step.js';

/** How {@link SentinelServers} are started. */
export interface SentinelServersOptions extends Pick<RedisServerOptions, 'password'> {
  /** Replicas of the master; default 1. */
  readonly replicas?: number;
  /** Sentinels; default 3. A majority of them, at least 2, decides. */
  readonly sentinels?: number;
  /** How long the master may be silent before it counts as down, milliseconds; default 1,000. */
  readonly downAfterMs?: number;
  /** Further arguments of the Redis servers, e.g. `['--min-replicas-to-write', '1']`. */
  readonly args?: readonly string[];
}

const NAME = 'wss';
const SETTLED_MS = 60_000;
/**
 * After their process stood still for the first time, sentinels decide nothing for the second, ms. By default that is
 * 30 s after 2 s: on a machine that stalls, no test would see a failover.
 */
const TILT = ['tilt-trigger', 1_000, 'tilt-period', 2_000];

/** A real Redis with replicas and sentinels that watch over it, each a process of its own on 127.0.0.1. */
export class SentinelServers {
  private constructor(
    /** The first is the master at the start; see {@link master}. */
    readonly servers: readonly RedisServer[],
    readonly sentinels: readonly RedisServer[],
  ) {}

  /** Starts everything and waits until the sentinels know each other and all replicas. */
  static async start(options: SentinelServersOptions = {}): Promise<SentinelServers> {
    const { replicas = 1, sentinels: count = 3, downAfterMs = 1_000, password } = options;
    const args = [...(password === undefined ? [] : ['--masterauth', password]), ...(options.args ?? [])];
    const started: RedisServer[] = [];
    const sentinels: RedisServer[] = [];
    try {
      const master = await RedisServer.start({ password, args });
      started.push(master);
      const replicaArgs = [...args, '--replicaof', '127.0.0.1', String(master.port)];
      for (let i = 0; i < replicas; i++) {
        started.push(await RedisServer.start({ password, args: replicaArgs }));
      }
      const lines = sentinelConfig(master.port, { downAfterMs, password, count });
      for (let i = 0; i < count; i++) {
        const sentinel = await RedisServer.start({ sentinel: lines });
        sentinels.push(sentinel);
        await sentinel.cli('SENTINEL', 'DEBUG', ...TILT);
      }
      const all = new SentinelServers(started, sentinels);
      await all.settled();
      return all;
    } catch (error) {
      for (const server of [...sentinels, ...started]) await server.stop();
      throw error;
    }
  }

  /** For a node's `REDIS_SERVER`: `redis+sentinel://127.0.0.1:<port>,…/wss`. */
  get url(): string {
    const { url } = this.servers[0]!;
    const credentials = url.slice('redis://'.length, url.lastIndexOf('127.0.0.1'));
    const hosts = this.sentinels.map(({ port }) => `127.0.0.1:${port}`);
    return `redis+sentinel://${credentials}${hosts.join(',')}/${NAME}`;
  }

  /** The server that the first running sentinel takes for the master. */
  async master(): Promise<RedisServer> {
    for (const sentinel of this.sentinels) {
      const reply = await sentinel.cli('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME).catch(() => undefined);
      if (!reply) continue;
      const port = Number((reply as [string, string])[1]);
      return this.servers.find((server) => server.port === port)!;
    }
    throw new Error('no sentinel answers');
  }

  /** Makes the sentinels promote a replica though the master lives; resolves when the former one follows it. */
  async failover(): Promise<void> {
    const before = await this.master();
    await eventually(
      async () => {
        if ((await this.master()) !== before) return;
        // Again as well: sentinels break a failover off when the machine stalls.
        await this.sentinels[0]!.cli('SENTINEL', 'FAILOVER', NAME);
        throw new Error('not promoted yet');
      },
      { withinMs: SETTLED_MS, everyMs: 200 },
    );
    await this.promoted(before);
    await this.inStep();
  }

  /** Resolves when all other servers have what the master had when this was called; needs all of them running. */
  inStep(): Promise<void> {
    return replicasInStep(this.servers, { withinMs: SETTLED_MS });
  }

  /** Resolves when another server than `former` is the master for all sentinels and takes writes. */
  async promoted(former: RedisServer): Promise<RedisServer> {
    return eventually(
      async () => {
        const ports = await Promise.all(this.sentinels.map((sentinel) => masterPort(sentinel)));
        const [port] = ports;
        if (port === former.port || ports.some((other) => other !== port))
          throw new Error('not promoted yet');
        const master = this.servers.find((server) => server.port === port)!;
        const [role] = (await master.cli('ROLE')) as [string];
        if (role !== 'master') throw new Error(`it is a ${role}`);
        return master;
      },
      { withinMs: SETTLED_MS },
    );
  }

  /** Stops all of it; sentinels first, so that they do not begin anything. */
  async stop(): Promise<void> {
    await Promise.all(this.sentinels.map((server) => server.stop()));
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  private async settled(): Promise<void> {
    const others = String(this.sentinels.length - 1);
    const replicas = String(this.servers.length - 1);
    await eventually(
      async () => {
        for (const sentinel of this.sentinels) {
          const fields = (await sentinel.cli('SENTINEL', 'MASTER', NAME)) as string[];
          const value = (name: string): string | undefined => fields[fields.indexOf(name) + 1];
          if (value('num-other-sentinels') !== others || value('num-slaves') !== replicas) {
            throw new Error(`a sentinel has seen ${value('num-slaves')} replicas only`);
          }
        }
      },
      { withinMs: SETTLED_MS },
    );
    await this.inStep();
  }
}

async function masterPort(sentinel: RedisServer): Promise<number> {
  const [, port] = (await sentinel.cli('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)) as [string, string];
  return Number(port);
}

function sentinelConfig(
  port: number,
  { downAfterMs, password, count }: { downAfterMs: number; password: string | undefined; count: number },
): string[] {
  const quorum = Math.max(1, Math.floor(count / 2) + 1);
  return [
    `sentinel monitor ${NAME} 127.0.0.1 ${port} ${quorum}`,
    `sentinel down-after-milliseconds ${NAME} ${downAfterMs}`,
    `sentinel failover-timeout ${NAME} 3000`,
    ...(password === undefined ? [] : [`sentinel auth-pass ${NAME} ${password}`]),
  ];
}
