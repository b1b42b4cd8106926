import { memoryPresence } from './presence-engines.js';
import { presenceStoreContract } from './presence-store.contract.js';

presenceStoreContract('memory', memoryPresence);
