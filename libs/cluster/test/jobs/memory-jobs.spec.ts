import { RestartingEngine } from '@wss/testing';
import { memoryEngine } from '../engines.js';
import { jobQueueContract } from './job-queue.contract.js';
import { jobsContract } from './jobs.contract.js';

jobQueueContract('memory', async () => memoryEngine());
jobQueueContract('memory that restarts', async () => memoryEngine(RestartingEngine));
jobsContract('memory', async () => memoryEngine());
