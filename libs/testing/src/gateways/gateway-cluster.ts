import { GatewayNode, type GatewayNodeOptions } from './gateway-node.js';
import { RedisServer, type RedisServerOptions } from '../servers/redis-server.js';
import { TcpProxy } from '../network/tcp-proxy.js';

/** How a {@link GatewayCluster} is started. */
export interface GatewayClusterOptions extends Omit<GatewayNodeOptions, 'redis'> {
  /** How many nodes; default 3. */
  readonly nodes?: number;
  /** Leads each node to Redis through a {@link TcpProxy} of its own; default no. */
  readonly proxied?: boolean;
  /** How Redis is started. */
  readonly redis?: RedisServerOptions;
  /** Redis servers that run already, e.g. `SentinelServers`; they are stopped with the cluster. Default one Redis. */
  readonly servers?: RedisServers;
}

/** Redis servers of any set-up. */
export interface RedisServers {
  /** `REDIS_SERVER` of the nodes. */
  readonly url: string;
  stop(): Promise<void>;
}

const DEFAULT_NODES = 3;

/** One Redis and several gateway nodes that share it. */
export class GatewayCluster {
  /** In the order of their start; nodes that ended stay in the list. */
  readonly nodes: GatewayNode[] = [];
  /** `proxies[i]` is the way of `nodes[i]` to Redis; empty when the cluster is not proxied. */
  readonly proxies: TcpProxy[] = [];

  private constructor(
    private readonly servers: RedisServers,
    private readonly options: GatewayClusterOptions,
  ) {}

  /**
   * Starts Redis, then all nodes at once, and waits until they are ready.
   * @throws Error when one of them does not come up; all others are stopped then
   */
  static async start(options: GatewayClusterOptions = {}): Promise<GatewayCluster> {
    const cluster = new GatewayCluster(options.servers ?? (await RedisServer.start(options.redis)), options);
    try {
      await cluster.startNodes(options.nodes ?? DEFAULT_NODES);
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** @throws Error when the nodes use servers that the test started */
  get redis(): RedisServer {
    if (this.servers instanceof RedisServer) return this.servers;
    throw new Error('this cluster uses servers of the test');
  }

  /**
   * Starts one more node like the others, e.g. for a rolling update.
   * @param env further variables, over those of the cluster
   */
  async addNode(env?: NodeJS.ProcessEnv): Promise<GatewayNode> {
    const proxy = this.options.proxied ? await TcpProxy.start({ to: this.redis.port }) : undefined;
    try {
      const node = await GatewayNode.start(this.nodeOptions(proxy, env));
      if (proxy) this.proxies.push(proxy);
      this.nodes.push(node);
      return node;
    } catch (error) {
      await proxy?.stop();
      throw error;
    }
  }

  /** Stops the nodes, all at once and in order, then the proxies, and Redis last. Ended ones are left alone. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    await Promise.all(this.proxies.map((proxy) => proxy.stop()));
    await this.servers.stop();
  }

  /** All starts must have ended, well or not, before anything is stopped: no node may come up after that. */
  private async startNodes(count: number): Promise<void> {
    const starts = await Promise.allSettled(Array.from({ length: count }, () => this.addNode()));
    for (const start of starts) if (start.status === 'rejected') throw start.reason;
  }

  private nodeOptions(proxy: TcpProxy | undefined, env: NodeJS.ProcessEnv | undefined): GatewayNodeOptions {
    const { entry, readyWithinMs } = this.options;
    const { url } = this.servers;
    const redis = proxy ? url.replace(`:${this.redis.port}`, `:${proxy.port}`) : url;
    return { entry, readyWithinMs, redis, env: { ...this.options.env, ...env } };
  }
}
