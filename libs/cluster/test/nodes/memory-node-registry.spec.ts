import { memoryEngine } from '../engines.js';
import { nodeRegistryContract } from './node-registry.contract.js';

nodeRegistryContract('memory', async () => memoryEngine());
