import { memoryStore } from './room-store-engines.js';
import { roomStoreContract } from './room-store.contract.js';

roomStoreContract('memory', memoryStore);
