import { clusterContract } from './cluster.contract.js';
import { memoryEngine } from './engines.js';

clusterContract('memory', async () => memoryEngine());
