import { clusterContract } from './cluster.contract.js';
import { redisClusterEngine } from './engines.js';
import { sessionStoreContract } from './session-store.contract.js';

clusterContract('Redis Cluster', redisClusterEngine);
sessionStoreContract('Redis Cluster', redisClusterEngine);
