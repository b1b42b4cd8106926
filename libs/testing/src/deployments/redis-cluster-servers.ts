import { eventually } from '../waiting/eventually.js';
import { RedisServer, type RedisServerOptions } from '../servers/redis-server.js';
import { replicasInStep } from '../servers/replicas-in-step.js';

/** How {@link RedisClusterServers} are started. */
export interface RedisClusterServersOptions extends Pick<RedisServerOptions, 'password'> {
  /** Masters; default 3, which is the least that can elect a successor. */
  readonly masters?: number;
  /** Replicas of each master; default 0. */
  readonly replicas?: number;
  /** How long a server may be silent before it counts as down, milliseconds; default 2,000. */
  readonly nodeTimeoutMs?: number;
  /** Further arguments of the servers, e.g. `['--appendonly', 'yes']`. */
  readonly args?: readonly string[];
}

const SLOTS = 16_384;
const SETTLED_MS = 30_000;
/** Keys in one MIGRATE. */
const MOST_KEYS = 100;

/** A real Redis Cluster: masters with an equal share of the slots each, all of them processes on 127.0.0.1. */
export class RedisClusterServers {
  private constructor(
    /** First the masters at the start, then their replicas in the same order. */
    readonly servers: readonly RedisServer[],
    private readonly masters: number,
    private readonly options: RedisClusterServersOptions,
  ) {}

  /**
   * Starts everything and waits until all servers agree on the slots.
   * @throws Error when a part does not come up; all others are stopped then
   */
  static async start(options: RedisClusterServersOptions = {}): Promise<RedisClusterServers> {
    const { masters = 3, replicas = 0, nodeTimeoutMs = 2_000, password } = options;
    const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', String(nodeTimeoutMs)];
    // A replica whose link was down for a while may still succeed its master.
    args.push('--cluster-replica-validity-factor', '0');
    if (password !== undefined) args.push('--masterauth', password);
    const started: RedisServer[] = [];
    try {
      for (let i = 0; i < masters * (1 + replicas); i++) {
        started.push(await RedisServer.start({ password, args: [...args, ...(options.args ?? [])] }));
      }
      const cluster = new RedisClusterServers(started, masters, options);
      await cluster.join();
      return cluster;
    } catch (error) {
      for (const server of started) await server.stop();
      throw error;
    }
  }

  /** For a node's `REDIS_SERVER`: `redis://127.0.0.1:<port>,…`. */
  get url(): string {
    const { url } = this.servers[0]!;
    const before = url.slice(0, url.lastIndexOf('127.0.0.1'));
    return `${before}${this.servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
  }

  /** The hash slot of a key or a sharded channel. */
  async slotOf(key: string): Promise<number> {
    return Number(await this.servers[0]!.cli('CLUSTER', 'KEYSLOT', key));
  }

  /**
   * The server that has a slot, as the first running one knows it.
   * @throws Error when no server has it
   */
  async masterOf(slot: number): Promise<RedisServer> {
    for (const server of this.servers) {
      const ranges = await server.cli('CLUSTER', 'SLOTS').catch(() => undefined);
      for (const [from, to, [, port]] of (ranges ?? []) as [number, number, [string, number]][]) {
        if (from <= slot && slot <= to) return this.servers.find((one) => one.port === port)!;
      }
    }
    throw new Error(`no server has slot ${slot}`);
  }

  /** Some server that is a master with slots and does not have this one. */
  async otherThan(slot: number): Promise<RedisServer> {
    const owner = await this.masterOf(slot);
    const starts = Array.from({ length: this.masters }, (_, i) => this.firstSlot(i));
    for (const start of starts) {
      const other = await this.masterOf(start);
      if (other !== owner) return other;
    }
    throw new Error('one server has all slots');
  }

  /** Moves a slot with its keys to another master while everything goes on; resolves when all servers know. */
  async moveSlot(slot: number, to: RedisServer): Promise<void> {
    await this.finishMove(slot, to, await this.beginMove(slot, to));
  }

  /** Opens a slot for its move, as a resharding tool does first; resolves to the server that has it. */
  async beginMove(slot: number, to: RedisServer): Promise<RedisServer> {
    const from = await this.masterOf(slot);
    await to.cli('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await idOf(from));
    await from.cli('CLUSTER', 'SETSLOT', slot, 'MIGRATING', await idOf(to));
    return from;
  }

  /** Moves the keys of a slot that was opened, and hands it over. */
  async finishMove(slot: number, to: RedisServer, from: RedisServer): Promise<void> {
    const { password } = this.options;
    const auth = password === undefined ? [] : ['AUTH', password];
    for (;;) {
      const keys = (await from.cli('CLUSTER', 'GETKEYSINSLOT', slot, MOST_KEYS)) as string[];
      if (keys.length === 0) break;
      await from.cli('MIGRATE', '127.0.0.1', to.port, '', 0, 5_000, ...auth, 'KEYS', ...keys);
    }
    const id = await idOf(to);
    // The new owner first: a client that asks the former one afterwards is sent to a server that knows.
    for (const server of [to, from]) await server.cli('CLUSTER', 'SETSLOT', slot, 'NODE', id);
    await this.agree();
  }

  /** Resolves when another server than `former` has its slots and all that run take writes. */
  async promoted(former: RedisServer): Promise<void> {
    await eventually(
      async () => {
        for (const server of this.servers) {
          if (server === former) continue;
          await requireState(server);
          const ranges = (await server.cli('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
          if (ranges.some(([, , [, port]]) => port === former.port)) throw new Error('not promoted yet');
        }
      },
      { withinMs: SETTLED_MS },
    );
  }

  /** Resolves when every replica has what its master had when this was called; needs all of them running. */
  inStep(): Promise<void> {
    return replicasInStep(this.servers, { masters: this.masters, withinMs: SETTLED_MS });
  }

  /** Stops all servers. */
  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  private firstSlot(master: number): number {
    return Math.ceil((master * SLOTS) / this.masters);
  }

  private async join(): Promise<void> {
    const [first] = this.servers;
    for (let i = 0; i < this.masters; i++) {
      const server = this.servers[i]!;
      await server.cli('CLUSTER', 'ADDSLOTSRANGE', this.firstSlot(i), this.firstSlot(i + 1) - 1);
      // Distinct from the start, since the servers would otherwise have to sort out which is newer.
      await server.cli('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
    }
    for (const { port } of this.servers.slice(1)) await first!.cli('CLUSTER', 'MEET', '127.0.0.1', port);
    await this.agree();
    for (let i = this.masters; i < this.servers.length; i++) {
      const master = this.servers[(i - this.masters) % this.masters]!;
      await this.servers[i]!.cli('CLUSTER', 'REPLICATE', await idOf(master));
    }
    await this.inStep();
    await this.agree();
  }

  /** Resolves when all running servers know all others, and tell the same of every slot. */
  private async agree(): Promise<void> {
    await eventually(
      async () => {
        const views = new Set<string>();
        for (const server of this.servers) {
          if (!(await server.cli('PING').catch(() => undefined))) continue;
          const known = await requireState(server);
          if (known !== this.servers.length) throw new Error(`a server knows ${known} only`);
          const ranges = (await server.cli('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
          views.add(JSON.stringify(ranges.map(([from, to, [, port]]) => [from, to, port]).sort()));
        }
        if (views.size !== 1) throw new Error('the servers do not agree on the slots');
      },
      { withinMs: SETTLED_MS },
    );
  }
}

/** @returns the number of servers that it knows; throws if it does not serve */
async function requireState(server: RedisServer): Promise<number> {
  const info = String(await server.cli('CLUSTER', 'INFO'));
  if (!info.includes('cluster_state:ok')) throw new Error('a server says that the cluster is down');
  return Number(/cluster_known_nodes:(\d+)/.exec(info)?.[1]);
}

async function idOf(server: RedisServer): Promise<string> {
  return String(await server.cli('CLUSTER', 'MYID'));
}
