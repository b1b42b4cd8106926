import { redisEngine } from '../engines.js';
import { sessionStoreContract } from './session-store.contract.js';
import { standingStoreContract } from '../users/standing-store.contract.js';

sessionStoreContract('Redis', redisEngine);
standingStoreContract('Redis', redisEngine);
