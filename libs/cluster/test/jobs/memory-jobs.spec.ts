import { memoryEngine } from '../engines.js';
import { jobQueueContract } from './job-queue.contract.js';
import { jobsContract } from './jobs.contract.js';

jobQueueContract('memory', async () => memoryEngine());
jobsContract('memory', async () => memoryEngine());
