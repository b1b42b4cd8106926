import { redisEngine } from '../engines.js';
import { sessionStoreContract } from './session-store.contract.js';

sessionStoreContract('Redis', redisEngine);
