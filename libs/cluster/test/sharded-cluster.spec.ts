import { clusterContract } from './cluster.contract.js';
import { redisClusterEngine } from './engines.js';

clusterContract('Redis Cluster', redisClusterEngine);
