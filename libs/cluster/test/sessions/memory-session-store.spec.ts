import { memoryEngine } from '../engines.js';
import { sessionStoreContract } from './session-store.contract.js';

sessionStoreContract('memory', async () => memoryEngine());
