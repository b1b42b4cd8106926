import { RestartingEngine } from '@wss/testing';
import { aheadClock } from '../engines.js';
import { memoryPresence } from './presence-engines.js';
import { presenceStoreContract } from './presence-store.contract.js';

presenceStoreContract('memory', () => memoryPresence());
presenceStoreContract('memory that restarts', () => memoryPresence(new RestartingEngine(aheadClock)));
