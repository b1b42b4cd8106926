import { afterAll, beforeAll } from '@jest/globals';
import { redisEngine } from './engines.js';
import { jobQueueContract } from './job-queue.contract.js';
import { nodeRegistryContract } from './node-registry.contract.js';
import { CLOCKS, setClock } from './off-clocks.js';
import { redisPresence } from './presence-engines.js';
import { presenceStoreContract } from './presence-store.contract.js';
import { sessionStoreContract } from './session-store.contract.js';

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
