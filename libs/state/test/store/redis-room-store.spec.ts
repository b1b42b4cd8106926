import { redisStore } from './room-store-engines.js';
import { roomStoreContract } from './room-store.contract.js';

roomStoreContract('Redis', redisStore);
