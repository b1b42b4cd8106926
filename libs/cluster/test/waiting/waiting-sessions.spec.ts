import { memoryEngine, redisEngine } from '../engines.js';
import { waitingSessionsContract } from './waiting-sessions.contract.js';

waitingSessionsContract('memory', () => Promise.resolve(memoryEngine()));
waitingSessionsContract('Redis', redisEngine);
