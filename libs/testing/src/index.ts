export {
  CommandFailed,
  eventually,
  FeatureCluster,
  type FeatureNode,
  type FrameFilter,
  type ServerFrame,
  TestClient,
  type TestClientOptions,
  UpgradeRefused,
} from './published/index.js';
export * from './deployments/changed-script.js';
export * from './deployments/cluster-proxies.js';
export { clusterOnServers, type ClusterOnServersOptions } from './gateways/cluster-on-servers.js';
export * from './network/free-port.js';
export { GatewayCluster } from './gateways/gateway-cluster.js';
export { GatewayNode } from './gateways/gateway-node.js';
export { type KeptState, keptState, keptSurplus } from './gateways/kept-state.js';
export { hermeticEnv, ManagedProcess, type ProcessExit } from './processes/managed-process.js';
export * from './random.js';
export {
  OPCODES,
  RawClient,
  rawFrame,
  type RawFrameOptions,
  type ReceivedFrame,
} from './gateways/raw-client.js';
export { type Flood, FLOODS } from './gateways/floods.js';
export { rawUpgrade } from './gateways/raw-upgrade.js';
export { RedisClusterServers } from './deployments/redis-cluster-servers.js';
export * from './deployments/redis-faults.js';
export { RedisServer } from './servers/redis-server.js';
export { replicasInStep } from './servers/replicas-in-step.js';
export { RestartingEngine } from './restarting-engine.js';
export { SentinelServers } from './deployments/sentinel-servers.js';
export { type ProxyMode, TcpProxy } from './network/tcp-proxy.js';
export * from './processes/temporary-folder.js';
