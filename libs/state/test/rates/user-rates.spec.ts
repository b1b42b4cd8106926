import { memoryLimits, redisClusterLimits, redisLimits } from './user-limit-engines.js';
import { userRatesContract } from './user-rates.contract.js';

userRatesContract('memory', memoryLimits);
userRatesContract('Redis', redisLimits);
userRatesContract('Redis Cluster', redisClusterLimits);
