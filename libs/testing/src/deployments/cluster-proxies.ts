import type { RedisClusterServers } from './redis-cluster-servers.js';
import { type ProxyMode, TcpProxy } from '../network/tcp-proxy.js';

/** One node's own way to all servers of a Redis Cluster. */
export class ClusterProxies {
  private constructor(
    private readonly servers: RedisClusterServers['servers'],
    private readonly proxies: readonly TcpProxy[],
  ) {}

  static async start({ servers }: RedisClusterServers): Promise<ClusterProxies> {
    return new ClusterProxies(
      servers,
      await Promise.all(servers.map(({ port }) => TcpProxy.start({ to: port }))),
    );
  }

  /** As `REDIS_SERVER`. */
  get url(): string {
    return `redis://${this.proxies.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
  }

  /** Where to reach the server that the cluster says is there. */
  readonly translate = ({ host, port }: { host: string; port: number }): { host: string; port: number } => ({
    host,
    port: this.proxies[this.servers.findIndex((server) => server.port === port)]?.port ?? port,
  });

  async setMode(mode: ProxyMode): Promise<void> {
    await Promise.all(this.proxies.map((proxy) => proxy.setMode(mode)));
  }

  async stop(): Promise<void> {
    await Promise.all(this.proxies.map((proxy) => proxy.stop()));
  }
}
