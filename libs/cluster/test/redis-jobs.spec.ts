import { redisEngine } from './engines.js';
import { jobQueueContract } from './job-queue.contract.js';
import { jobsContract } from './jobs.contract.js';

jobQueueContract('Redis', redisEngine);
jobsContract('Redis', redisEngine);
