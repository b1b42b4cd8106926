import { roomHistoryContract } from './room-history.contract.js';
import { redisStore } from './room-store-engines.js';
import { roomStoreContract } from './room-store.contract.js';

roomHistoryContract('Redis', redisStore);
roomStoreContract('Redis', redisStore);
