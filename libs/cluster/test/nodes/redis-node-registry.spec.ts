import { redisEngine } from '../engines.js';
import { nodeRegistryContract } from './node-registry.contract.js';

nodeRegistryContract('Redis', redisEngine);
