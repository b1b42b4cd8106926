import { afterAll, beforeAll } from '@jest/globals';
import { redisEngine } from './engines.js';
import { jobQueueContract } from './jobs/job-queue.contract.js';
import { nodeRegistryContract } from './nodes/node-registry.contract.js';
import { CLOCKS, setClock } from './off-clocks.js';
import { redisPresence } from './presence/presence-engines.js';
import { presenceStoreContract } from './presence/presence-store.contract.js';
import { sessionStoreContract } from './sessions/session-store.contract.js';

// R30: what Redis keeps is the same whatever the nodes' clocks do.
const jumping = CLOCKS.find(([what]) => what.startsWith('set'))![1];
let restore: (() => void) | undefined;
beforeAll(() => void (restore = setClock(jumping)));
afterAll(() => restore?.());

const name = "Redis while the nodes' clocks jump (R30)";
sessionStoreContract(name, redisEngine);
nodeRegistryContract(name, redisEngine);
jobQueueContract(name, redisEngine);
presenceStoreContract(name, redisPresence);
