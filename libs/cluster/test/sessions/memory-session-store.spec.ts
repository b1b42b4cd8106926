import { RestartingEngine } from '@wss/testing';
import { memoryEngine } from '../engines.js';
import { sessionStoreContract } from './session-store.contract.js';
import { standingStoreContract } from '../users/standing-store.contract.js';

sessionStoreContract('memory', async () => memoryEngine());
sessionStoreContract('memory that restarts', async () => memoryEngine(RestartingEngine));
standingStoreContract('memory', async () => memoryEngine());
