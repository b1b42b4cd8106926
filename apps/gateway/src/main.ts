import { StopSignals } from './process/stop-signals.js';

// Everything else is loaded after it; see there.
const signals = new StopSignals();
const { runNode } = await import('./process/run-node.js');
await runNode(process.env, signals);
