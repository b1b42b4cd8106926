import { type ClusterOptions, FeatureCluster } from '../features/feature-cluster.js';
import type { SharedRedis } from '../features/feature-data.js';
import type { RedisServers } from './gateway-cluster.js';

/** How a feature cluster on servers of the test is started. */
export interface ClusterOnServersOptions extends ClusterOptions, Pick<SharedRedis, 'durableReplicas'> {}

/**
 * Starts feature modules on servers that the test has started, in the namespace that nodes have by default. The
 * servers are stopped with the cluster, and have the faults that the test gives them.
 */
export function clusterOnServers(
  servers: RedisServers,
  { durableReplicas, ...options }: ClusterOnServersOptions,
): Promise<FeatureCluster> {
  const refuse = (): Promise<never> =>
    Promise.reject(new Error("these servers are the test's own to disturb"));
  const shared = { redis: { url: servers.url, durableReplicas } };
  return FeatureCluster.on({ shared, loseTail: refuse, outage: refuse, stop: () => servers.stop() }, options);
}
