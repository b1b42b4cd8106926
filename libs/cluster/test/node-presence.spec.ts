import { nodePresenceContract } from './node-presence.contract.js';
import { memoryPresence, redisPresence } from './presence-engines.js';

nodePresenceContract('memory', memoryPresence);
nodePresenceContract('Redis', redisPresence);
