import { clusterContract } from './cluster.contract.js';
import { redisClusterEngine } from './engines.js';
import { nodeRegistryContract } from './node-registry.contract.js';

clusterContract('Redis Cluster', redisClusterEngine);
nodeRegistryContract('Redis Cluster', redisClusterEngine);
